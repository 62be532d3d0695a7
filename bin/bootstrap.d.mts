/** What of bootstrap.mjs is used by TypeScript. */
export const workerProcess: { flags: string[]; env: Record<string, string> };
