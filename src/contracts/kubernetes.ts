import type { Json, JsonObject } from './json.ts';

/** A Kubernetes object as raw JSON: only what every object has is typed, everything else survives untouched. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMetadata;
  [key: string]: unknown;
}

/** The parts of `metadata` that this project reads. */
interface ObjectMetadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean }[];
  managedFields?: {
    manager?: string;
    operation?: string;
    subresource?: string;
    time?: string;
    fieldsV1?: JsonObject;
  }[];
  [key: string]: unknown;
}

/** Names one object. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
}

/**
 * Names one object at one moment. A writing activity receives its pin from the workflow and never
 * reads a fresh one itself: a late attempt then meets a stale resourceVersion (409) instead of writing.
 */
export interface Pin extends ObjectRef {
  uid: string;
  resourceVersion: string;
}

/** One operation of a JSON Patch (RFC 6902), as the API server accepts it. */
export type JsonPatchOperation =
  { op: 'add' | 'replace' | 'test'; path: string; value: Json } | { op: 'remove'; path: string };
