/** YAML text of many documents: changes some of them and leaves every other byte as it is. */

import { loadAll } from "js-yaml";

/** One document of a stream: its text as it stands between the separators. */
interface Document {
  /** The separator line that precedes it, with its line end; empty before the first. */
  separator: string;
  text: string;
}

/** Cuts at lines `---`; joined again, the pieces are the input. Block scalars can't hold such a line. */
export function splitDocuments(stream: string): Document[] {
  const documents: Document[] = [];
  let separator = "";
  let text = "";
  for (const line of stream.split(/(?<=\n)/)) {
    const mark = /^---(?=\s|$)[ \t]*/.exec(line)?.[0];
    if (mark !== undefined) {
      if (separator !== "" || text !== "") documents.push({ separator, text });
      const rest = line.slice(mark.length).trim();
      const alone = rest === "" || rest.startsWith("#");
      // What follows on the same line belongs to the document.
      separator = alone ? line : mark;
      text = alone ? "" : line.slice(mark.length);
    } else text += line;
  }
  documents.push({ separator, text });
  return documents;
}

/** `change` returns the new text of a document's object, or undefined to leave it alone. */
export function mapDocuments(
  stream: string,
  change: (object: unknown) => string | undefined,
): string {
  return splitDocuments(stream)
    .map(({ separator, text }) => {
      // Comments alone are no document.
      const object: unknown = loadAll(text)[0];
      const changed = object === undefined || object === null ? undefined : change(object);
      if (changed === undefined) return separator + text;
      // A block can't begin beside the mark.
      return (separator === "" || separator.endsWith("\n") ? separator : "---\n") + changed;
    })
    .join("");
}
