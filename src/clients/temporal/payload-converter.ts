import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

/**
 * Reads what arrives as Temporal's default converter does, but never throws. Anyone who may send a signal can send
 * one in an encoding that nobody here knows; an error while reading it would fail the workflow task for ever, and
 * with it the whole run. It arrives as an object that says so, which every check of inputs and decisions refuses.
 * Temporal loads this by path and looks for this name.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload: (payload) => {
    try {
      return defaultPayloadConverter.fromPayload(payload);
    } catch {
      return { 'input in an unknown encoding': true } as never;
    }
  },
};
