/** For a terminal: whoever wrote into the bucket must not steer it. */
export function safeText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}
