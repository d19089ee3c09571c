/** Stands for what `make` gives, which is called once, by the first who asks for anything of it. */
export function madeAtFirstUse<T extends object>(make: () => T): T {
  let made: T | undefined;
  const get = () => (made ??= make());
  return new Proxy({} as T, {
    get: (_, key) => Reflect.get(get(), key),
    has: (_, key) => Reflect.has(get(), key),
    getPrototypeOf: () => Reflect.getPrototypeOf(get()),
  });
}
