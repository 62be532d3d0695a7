import { excerpt } from '../../domain/text.ts';

/** What became of a call that did not succeed. */
export interface Refusal {
  /** Name or code only: messages of the SDK may carry request details. */
  name: string;
  /** Missing when no answer came. */
  status?: number;
}

/** How a call was refused; undefined when it was not. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

export function describeError(error: unknown): Refusal {
  const { name, code, $metadata } = error as {
    name?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  const word = [code, name].find((one) => typeof one === 'string') ?? 'unknown error';
  const status = $metadata?.httpStatusCode;
  return { name: excerpt(word), ...(status === undefined ? {} : { status }) };
}

/** As the end of a sentence that begins with what was called. */
export function wordsFor({ name, status }: Refusal): string {
  if (name === 'CredentialsProviderError') return 'was not asked: there are no credentials';
  if (status === undefined) return `does not answer (${name})`;
  if (status === 404) return 'is not there';
  if (status === 301) return 'lies in another region';
  return `answers ${status} (${name})`;
}
