/**
 * Canonical JSON by RFC 8785: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript prints them.
 * Values read losslessly (`JSON.rawJSON`) keep their digits, which is why no library does this for us.
 * Throws a TypeError on what JSON cannot say (NaN, functions, cycles are the caller's fault).
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (isPlainObject(value)) {
    const members = Object.keys(value)
      .filter((key) => value[key] !== undefined)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError('a number that JSON cannot hold');
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`a ${typeof value} is not JSON`);
  return text;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !('rawJSON' in value && Object.isFrozen(value));
}
