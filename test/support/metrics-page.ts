import { waitFor } from '../../src/local/wait.ts';

/** One series as Prometheus reads it. */
interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** What a worker tells at its metrics address. */
export class MetricsPage {
  readonly #url: string;

  constructor(address: string) {
    this.#url = `http://${address}/metrics`;
  }

  async read(): Promise<{ text: string; series: Series[] }> {
    const text = await (await fetch(this.#url)).text();
    const series = [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(
      ([, name = '', labels = '', value]) => ({
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, label = '', content]) => [label, content]),
        ) as Record<string, string>,
        value: Number(value),
      }),
    );
    return { text, series };
  }

  /** Waits until it tells a series with these labels that fits. */
  async tells(
    name: string,
    labels: Record<string, string>,
    fits: (value: number) => boolean,
  ): Promise<Series> {
    return await waitFor(
      async () =>
        (await this.read()).series.find(
          (one) =>
            one.name === name &&
            Object.entries(labels).every(([label, content]) => one.labels[label] === content) &&
            fits(one.value),
        ),
      { what: `${name} of the worker`, timeoutMilliseconds: 90_000, everyMilliseconds: 500 },
    );
  }
}
