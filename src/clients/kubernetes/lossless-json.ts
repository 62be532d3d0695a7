import type { Json } from '../../contracts/json.ts';

declare global {
  interface JSON {
    /** Keeps a number exactly as written (ES2026); TypeScript's library does not know it yet. */
    rawJSON(text: string): object;
  }
}

/** Any run of 16 digits where a number can stand: cheap to look for, and only these can lose digits. */
const LONG_NUMBER = /[:,[]\s*-?\d{16}/;

/**
 * Parses JSON without changing it: an integer beyond 2^53 is kept as written (as a `JSON.rawJSON`
 * value, which {@link stringifyLossless} writes back digit for digit), and a key named `__proto__`
 * stays an ordinary key.
 *
 * @throws SyntaxError whose message may quote the text: never show it.
 */
export function parseLossless(text: string): Json {
  return (LONG_NUMBER.test(text) ? JSON.parse(text, keepLongInteger) : JSON.parse(text)) as Json;
}

/** The counterpart of {@link parseLossless}. */
export function stringifyLossless(value: unknown): string {
  return JSON.stringify(value);
}

function keepLongInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined) return value;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? JSON.rawJSON(source) : value;
}
