/**
 * Every failure type that this project puts into Temporal, once.
 * `retryable` is the judgement for activities; `advice` tells the reader of the Temporal UI what to do.
 */
export const failures = {
  InvalidRequest: { retryable: false, advice: 'Correct the input as the message says and start again.' },
  InvalidProfile: {
    retryable: false,
    advice: 'Correct the target profile; the message says what is wrong with it.',
  },
  ProfileChanged: {
    retryable: false,
    advice: 'Look at the plan under the changed profile, then decide again.',
  },
  BadSignature: { retryable: false, advice: 'Sign again as the message says, and send the decision again.' },
  NotFound: { retryable: false, advice: 'Check the name in the request and in the target profile.' },
  Unauthenticated: { retryable: false, advice: "Renew the worker's credentials for the cluster." },
  Forbidden: { retryable: false, advice: 'Give the worker the permission that the message names.' },
  Refused: {
    retryable: false,
    advice: 'The server refused the content of the request; read the reason in the message.',
  },
  Moved: {
    retryable: false,
    advice: 'Someone else wrote the object meanwhile; the run plans again by itself.',
  },
  Overwritten: {
    retryable: false,
    advice: 'Someone else wrote the object right after this run did; look at what they changed.',
  },
  RateLimited: {
    retryable: true,
    advice: 'Nothing to do: the call is repeated after the time that the server asked for.',
  },
  Unavailable: { retryable: true, advice: 'Check that the server answers; the call is repeated meanwhile.' },
  StorageUnavailable: {
    retryable: true,
    advice: 'Check the object storage; the report is stored when it answers.',
  },
  StorageRefused: {
    retryable: false,
    advice:
      'Correct the bucket, its policy or the credentials (runbook doctor tries them), then start again.',
  },
  KeyMissing: {
    retryable: false,
    advice:
      'The backup may be good: lend the workers the escrow key (docs/keys.md), or choose a backup that they can open.',
  },
  BackupRefused: {
    retryable: false,
    advice: 'Do not use this backup; the message says what is wrong with it. Verify another one.',
  },
  HookFailed: {
    retryable: false,
    advice: 'Look at what the hook does in its pod; a hook with onError: continue would not stop the backup.',
  },
  NotifierUnavailable: {
    retryable: true,
    advice:
      'Check that the channel answers; the notification is sent again meanwhile, and the run does not wait.',
  },
  AuditBroken: {
    retryable: false,
    advice: 'Run: runbook audit verify. Nothing is written after an entry that does not fit.',
  },
  GuardStopped: {
    retryable: false,
    advice: 'Remove what the guard names, then start again. Nothing was changed.',
  },
  RolloutFailed: { retryable: false, advice: 'Read the reason before the next try.' },
  PartlyRestored: {
    retryable: false,
    advice:
      'Mend what the message names, then start again: what is restored already reads unchanged, and the rest is tried anew.',
  },
  ProofFailed: { retryable: false, advice: 'Read what the proof found before the next try.' },
  ScratchRemains: {
    retryable: false,
    advice:
      'Look at what holds the namespace of the drill: its status names the objects and finalizers. The next drill tries again.',
  },
  LockHeld: {
    retryable: false,
    advice: 'Wait until the run that holds the target has ended, or end it, then start again.',
  },
  LockLost: {
    retryable: false,
    advice: 'Another run holds the target now; look at what it does before you start again.',
  },
  Aborted: { retryable: false, advice: 'Someone aborted the run; ask them why.' },
  Flooded: {
    retryable: false,
    advice: 'Find out who sends signals to this run, stop them, then start again.',
  },
  Cancelled: { retryable: false, advice: 'Someone cancelled the run in Temporal; ask them why.' },
  Internal: {
    retryable: false,
    advice: 'This is a fault of the runbook itself; report it with the workflow id.',
  },
} as const satisfies Record<string, { retryable: boolean; advice: string }>;

export type FailureType = keyof typeof failures;
