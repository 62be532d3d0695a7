/** Any JSON value, as it travels through Temporal payloads and the Kubernetes API. */
export type Json = string | number | boolean | null | Json[] | JsonObject;

/** A JSON object; unknown keys survive because nothing is mapped to classes. */
export interface JsonObject {
  [key: string]: Json;
}
