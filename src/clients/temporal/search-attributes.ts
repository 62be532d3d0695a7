import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { searchAttributes } from '../../contracts/search-attributes.ts';

const visibleWithinMilliseconds = 20_000;

/**
 * Registers the search attributes that runs set: an unregistered one would hang every run. Returns when they are
 * visible. `ok: false` with the reason when this is not permitted; the worker then runs without them.
 */
export async function registerSearchAttributes(
  client: Client,
): Promise<{ ok: true } | { ok: false; why: string }> {
  const { namespace } = client.options;
  const { operatorService } = client.connection;
  const wanted = Object.values(searchAttributes).map((key) => key.name);
  const missing = async (): Promise<string[]> => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return wanted.filter((name) => !Object.hasOwn(customAttributes, name));
  };
  try {
    const absent = await missing();
    if (absent.length > 0) {
      const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
      await operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(absent.map((name) => [name, keyword])),
      });
    }
    const deadline = Date.now() + visibleWithinMilliseconds;
    while ((await missing()).length > 0) {
      if (Date.now() > deadline)
        return {
          ok: false,
          why: `they are not visible ${visibleWithinMilliseconds / 1000} s after they were added`,
        };
      await delay(200);
    }
    return { ok: true };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : 'unknown error' };
  }
}

/** The names of all custom search attributes of the namespace. Errors of the connection pass through. */
export async function registeredSearchAttributes(client: Client): Promise<string[]> {
  const { namespace } = client.options;
  const { customAttributes } = await client.connection.withDeadline(Date.now() + 5000, () =>
    client.connection.operatorService.listSearchAttributes({ namespace }),
  );
  return Object.keys(customAttributes);
}
