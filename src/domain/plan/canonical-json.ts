declare global {
  interface JSON {
    /** Whether a value is a number kept as written (ES2026); TypeScript's library does not know it yet. */
    isRawJSON(value: unknown): boolean;
  }
}

/**
 * Canonical JSON by RFC 8785: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript prints them.
 * Values read losslessly (`JSON.rawJSON`) keep their digits, which is why no library does this for us.
 * Throws a TypeError on what JSON cannot say (NaN, functions, dates); cycles are the caller's fault.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (isObject(value)) return canonicalObject(value);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError('a number that JSON cannot hold');
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`a ${typeof value} is not JSON`);
  return text;
}

/** One text that grows: a backup does this for every object, and lists of parts would be garbage. */
function canonicalObject(value: Record<string, unknown>): string {
  if (!isPlain(value)) throw new TypeError('an object of a class is not JSON');
  let text = '';
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !JSON.isRawJSON(value);
}

/** A Date or a Map has no members of its own: it would count as `{}` and hide that it changed. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
