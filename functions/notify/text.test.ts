import fc from "fast-check";
import { expect, test } from "vitest";
import { parseHtml } from "../../deploy/local/lab/telegram/html-entities.ts";
import { lengthOf, shorten, shortenTo, type Text, toHtml, toPlain } from "./text.ts";

test("toHtml() escapes what people wrote and marks what we did", () => {
  const text: Text = [[{ bold: 'Failed: <Factorio> & "friends"' }], ["a < b ", { code: "x&y" }]];
  expect(toHtml(text)).toBe("<b>Failed: &lt;Factorio&gt; &amp; &quot;friends&quot;</b>\na &lt; b <code>x&amp;y</code>");
  expect(parseHtml(toHtml(text)).text).toBe(toPlain(text));
});

test("shortenTo() shortens before the marks, so that what is read is never longer than wanted", () => {
  const text: Text = [
    [{ bold: "Failed" }],
    ["Why: ", "<&>".repeat(3000)],
    ["What to do: ", "look ".repeat(2000)],
    ["Run ", { code: "backup-1" }],
  ];
  const fitted = shortenTo(text, 4096);
  expect(lengthOf(fitted)).toBeLessThanOrEqual(4096);
  expect(lengthOf(fitted)).toBeGreaterThan(4000);
  expect(parseHtml(toHtml(fitted)).text).toBe(toPlain(fitted));
  expect(toPlain(fitted)).toMatch(/^Failed\nWhy: <&>.*…\nWhat to do: look .*…\nRun backup-1$/s);
});

test("shortenTo() keeps the first and the last of very many lines", () => {
  const lines = Array.from({ length: 9000 }, (_, n): Text[number] => [`line ${n}`]);
  const fitted = shortenTo(lines, 4096);
  expect(lengthOf(fitted)).toBeLessThanOrEqual(4096);
  expect(toPlain(fitted)).toMatch(/^line 0\n.*\nline 8999$/s);
});

test("shorten() never leaves half a character", () => {
  expect(shorten("ab😀cd", 4)).toBe("ab…");
  expect(shorten("abcd", 4)).toBe("abcd");
});

test("shortenTo() takes out what no channel can carry", () => {
  expect(toPlain(shortenTo([["a\u0000b\u001b[31m\ud800c\nd"]], 100))).toBe("a b [31m\ufffdc\nd");
});

test("toHtml() is read by Telegram as it was meant, whatever it is made of", () => {
  const odd = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("<b>", "</b>", "&lt;", "&#60;", "<a href='", "*_[", "\u0000"));
  const words = fc.array(odd, { maxLength: 30 }).map((parts) => parts.join("").repeat(3));
  const part = fc.oneof(words, words.map((bold) => ({ bold })), words.map((code) => ({ code })));
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 4 }), { maxLength: 20 }), (text) => {
      const fitted = shortenTo(text, 200);
      expect(lengthOf(fitted)).toBeLessThanOrEqual(200);
      expect(parseHtml(toHtml(fitted)).text).toBe(toPlain(fitted));
    }),
  );
}); // biome-ignore format: one line reads better
