import { z } from 'zod';

/** Name of a namespace, container or target. */
export const dnsLabel = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    'must be a lower-case name of at most 63 letters, digits and dashes',
  );

/** Name of a workload. */
export const objectName = z
  .string()
  .max(253, { abort: true })
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be a Kubernetes object name: lower-case letters, digits, dashes, dots',
  );

/** Name of any object, to compare with: roles are called as people like. */
export const anyName = z
  .string()
  .min(1, 'must not be empty')
  .max(1024, { abort: true })
  .regex(/^[^/%\p{Cc}]+$/u, 'must be the name of an object: without /, % and control characters');
