import type { Json, JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { invalidResponse } from './errors.ts';
import { parseLossless } from './lossless-json.ts';

/** What an answer that is not one object belongs to: items of built-in lists do not say their kind. */
export interface ObjectType {
  apiVersion: string;
  kind: string;
}

/** Parses an answer. @throws {@link KubernetesError} `InvalidResponse`, e.g. for an answer that was cut off. */
export function parseAnswer(operation: string, text: string): JsonObject {
  const value = parseJson(operation, text);
  if (!isJsonObject(value)) throw invalidResponse(operation, 'the answer is not a JSON object');
  return value;
}

/** Checks the parts that {@link KubernetesObject} promises; everything else stays as it came. */
export function toObject(operation: string, value: Json | undefined, type?: ObjectType): KubernetesObject {
  if (!isJsonObject(value)) throw invalidResponse(operation, 'the answer is not a Kubernetes object');
  const object: JsonObject = { apiVersion: type?.apiVersion ?? '', kind: type?.kind ?? '', ...value };
  const { apiVersion, kind, metadata } = object;
  if (!apiVersion || !kind || !isJsonObject(metadata) || typeof metadata['name'] !== 'string') {
    throw invalidResponse(operation, 'the answer is not a Kubernetes object');
  }
  return object as unknown as KubernetesObject;
}

/** True for `{…}`, not for arrays and null. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `metadata` of a list or object, empty if it is missing. */
export function metadataOf(value: JsonObject): JsonObject {
  const metadata = value['metadata'];
  return isJsonObject(metadata) ? metadata : {};
}

function parseJson(operation: string, text: string): Json {
  try {
    return parseLossless(text);
  } catch {
    // The parser's message quotes the text, which may be a Secret.
    throw invalidResponse(operation, 'the answer is not valid JSON, it may have been cut off');
  }
}
