/** A name in SQL, always quoted. */
export const quoteName = (name: string) => `"${name.replaceAll('"', '""')}"`;

export const quoteNames = (parts: readonly string[]) => parts.map(quoteName).join(".");

/** A string in SQL, under `standard_conforming_strings = on`, which every connection of this app sets. */
export const quoteText = (text: string) => `'${text.replaceAll("'", "''")}'`;
