import { jest } from '@jest/globals';

// Real rollouts on two busy cores; every wait inside has a shorter deadline of its own that says what it waited for.
jest.setTimeout(120_000);
