const suffixes: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity ("500m", "1Gi", "2e3", 4) as a number; undefined when it is not one. */
export function parseQuantity(quantity: unknown): number | undefined {
  if (typeof quantity !== 'string' && typeof quantity !== 'number') return undefined;
  const match =
    /^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/.exec(
      String(quantity),
    );
  if (match === null) return undefined;
  const factor = suffixes[match[2] ?? ''];
  return factor === undefined ? undefined : Number(match[1]) * factor;
}

/** A number as a quantity that people read: 536870912 is 512Mi, and binary fractions of decimals are rounded. */
export function formatQuantity(value: number): string {
  const suffix = (['Gi', 'Mi', 'Ki'] as const).find((one) => value > 0 && value % (suffixes[one] ?? 1) === 0);
  if (suffix !== undefined) return `${value / (suffixes[suffix] ?? 1)}${suffix}`;
  return String(Number(value.toPrecision(12)));
}
