// The image's one entry: `node /app/keepsake.cjs <program> [arguments]`. Programs are listed in functions/programs.ts.
const [program] = process.argv.splice(2, 1);
require(`./build/${program}/${program}.cjs`);
