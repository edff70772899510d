/** `$(NAME)` in commands, arguments and values (Kubernetes' third_party/forked/golang/expansion). */

/** Replaces known references; unknown ones stay, and `$$` is a plain `$`. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  let result = "";
  let index = 0;
  while (index < text.length) {
    const dollar = text.indexOf("$", index);
    if (dollar < 0 || dollar + 1 >= text.length) return result + text.slice(index);
    result += text.slice(index, dollar);
    const next = text[dollar + 1];
    const close = next === "(" ? text.indexOf(")", dollar + 2) : -1;
    if (close >= 0) {
      const name = text.slice(dollar + 2, close);
      result += variables.get(name) ?? `$(${name})`;
      index = close + 1;
    } else if (next === "$") {
      result += "$";
      index = dollar + 2;
    } else {
      result += "$";
      index = dollar + 1;
    }
  }
  return result;
}
