/**
 * The rules for names (apimachinery `util/validation`): each function gives what is wrong with a
 * text, in Kubernetes' words, and nothing when all is well.
 */

const LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_1123 = String.raw`${LABEL_1123}(\.${LABEL_1123})*`;
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

const PATTERNS = {
  label1123: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  subdomain1123: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  label1035: /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
  key: /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/,
  dataKey: /^[-._a-zA-Z0-9]+$/,
  // oxlint-disable-next-line no-control-regex -- the range of printable ASCII
  envName: /^[\x20-\x3c\x3e-\x7e]+$/,
  portName: /^[-a-z0-9]+$/,
  headerName: /^[-A-Za-z0-9]+$/,
};

const MAX_LABEL = 63;
const MAX_SUBDOMAIN = 253;

/** Of containers, ports of Services, namespaces, hostnames. */
export function dns1123Label(text: string): string[] {
  const rule = regexRule(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " +
      "and must start and end with an alphanumeric character",
    LABEL_1123,
    ["my-name", "123-abc"],
  );
  return [...tooLong(text, MAX_LABEL), ...unless(PATTERNS.label1123.test(text), rule)];
}

/** Of most objects. */
export function dns1123Subdomain(text: string): string[] {
  const rule = regexRule(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or " +
      "'.', and must start and end with an alphanumeric character",
    SUBDOMAIN_1123,
    ["example.com"],
  );
  return [...tooLong(text, MAX_SUBDOMAIN), ...unless(PATTERNS.subdomain1123.test(text), rule)];
}

/** Of Services, whose names are DNS labels of the oldest kind. */
export function dns1035Label(text: string): string[] {
  const rule = regexRule(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
      "alphabetic character, and end with an alphanumeric character",
    LABEL_1035,
    ["my-name", "abc-123"],
  );
  return [...tooLong(text, MAX_LABEL), ...unless(PATTERNS.label1035.test(text), rule)];
}

/** Hosts of an Ingress: a subdomain, or one below `*.`. */
export function dns1123Host(text: string): string[] {
  return dns1123Subdomain(text.startsWith("*.") ? text.slice(2) : text);
}

/** Keys of labels and annotations, finalizers, conditions: `name` or `prefix/name`. */
export function qualifiedName(text: string): string[] {
  const [first = "", second, ...rest] = text.split("/");
  const rule = regexRule(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
      "alphanumeric character",
    KEY,
    ["MyName", "my.name", "123-abc"],
  );
  if (rest.length > 0) {
    const shape = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    return [`a valid label key ${rule} ${shape}`];
  }
  const name = second ?? first;
  const problems: string[] = [];
  if (second !== undefined) {
    const prefix = first === "" ? ["must be non-empty"] : dns1123Subdomain(first);
    problems.push(...prefix.map((text) => `prefix part ${text}`));
  }
  if (name === "") problems.push("name part must be non-empty");
  problems.push(...tooLong(name, MAX_LABEL).map((text) => `name part ${text}`));
  if (!PATTERNS.key.test(name)) problems.push(`name part ${rule}`);
  return problems;
}

export function labelValue(text: string): string[] {
  const rule = regexRule(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or " +
      "'.', and must start and end with an alphanumeric character",
    `(${KEY})?`,
    ["MyValue", "my_value", "12345"],
  );
  return [...tooLong(text, MAX_LABEL), ...unless(text === "" || PATTERNS.key.test(text), rule)];
}

/** Keys in the data of ConfigMaps and Secrets, which become file names. */
export function dataKey(text: string): string[] {
  const rule = regexRule(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "[-._a-zA-Z0-9]+",
    ["key.name", "KEY_NAME", "key-name"],
  );
  const problems = [...tooLong(text, MAX_SUBDOMAIN), ...unless(PATTERNS.dataKey.test(text), rule)];
  if (text === "." || text === "..") problems.push(`must not be '${text}'`);
  else if (text.startsWith("..")) problems.push("must not start with '..'");
  return problems;
}

export function envName(text: string): string[] {
  const rule =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
  return unless(PATTERNS.envName.test(text), rule);
}

/** Names of container ports (IANA service names). */
export function portName(text: string): string[] {
  const problems = text.length > 15 ? ["must be no more than 15 bytes"] : [];
  if (!PATTERNS.portName.test(text)) {
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(text)) problems.push("must contain at least one letter (a-z)");
  if (text.includes("--")) problems.push("must not contain consecutive hyphens");
  if (text.startsWith("-") || text.endsWith("-")) {
    problems.push("must not begin or end with a hyphen");
  }
  return problems;
}

export function headerName(text: string): string[] {
  const rule = regexRule(
    "a valid HTTP header must consist of alphanumeric characters or '-'",
    "[-A-Za-z0-9]+",
    ["X-Header-Name"],
  );
  return unless(PATTERNS.headerName.test(text), rule);
}

function unless(fine: boolean, rule: string): string[] {
  return fine ? [] : [rule];
}

function tooLong(text: string, max: number): string[] {
  return text.length > max ? [`must be no more than ${max} bytes`] : [];
}

function regexRule(rule: string, pattern: string, examples: readonly string[]): string {
  // Each example is followed by a comma in Kubernetes' texts, the ones before an "or" too.
  const shown = examples.map((example) => `'${example}', `).join(" or ");
  return `${rule} (e.g. ${shown}regex used for validation is '${pattern}')`;
}
