import { z } from 'zod';
import type { Notifier } from './notifier.ts';
import { createWebhookNotifier, webhookSchema } from './webhook.ts';

/** What a channel's file may hold: one variant per kind of notifier. Unknown fields are faults. */
export const channelSchema = z.discriminatedUnion('kind', [webhookSchema], 'must be webhook');

export type ChannelConfig = z.infer<typeof channelSchema>;

/** The notifier that a channel's file asks for. Nothing is sent before the first notification. */
export function createNotifier(name: string, config: ChannelConfig): Notifier {
  // There is one kind. The next one makes this a switch over `config.kind`.
  return createWebhookNotifier(name, config);
}
