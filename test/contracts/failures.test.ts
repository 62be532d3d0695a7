import { expect, test } from '@jest/globals';
import { failures } from '../../src/contracts/failures.ts';

test.each(Object.entries(failures))(
  '%s has a name for code and advice for people',
  (type, { retryable, advice }) => {
    expect(type).toMatch(/^[A-Z][A-Za-z]+$/);
    expect(typeof retryable).toBe('boolean');
    expect(advice).toMatch(/^[A-Z][^\n]*\.$/);
  },
);

test('only what may heal by itself is repeated', () => {
  const repeated = Object.entries(failures).flatMap(([type, { retryable }]) => (retryable ? [type] : []));
  expect(repeated).toEqual(['RateLimited', 'Unavailable', 'StorageUnavailable', 'NotifierUnavailable']);
});
