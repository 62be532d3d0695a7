import { failed, passed, unknown, type Finding } from './finding.ts';

/** Tokens, signatures of requests and the times in reports go wrong beyond this. */
const mostSkewSeconds = 5;

/** What a server said of the time, and when it was asked, in milliseconds of this machine. */
export interface ClockReading {
  asked: number;
  answered: number;
  /** The `Date` header of the answer. */
  date: string | undefined;
}

/** How far another clock is from this machine's. The header counts whole seconds: half a second is added. */
export function judgeClock(check: string, { asked, answered, date }: ClockReading): Finding {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs))
    return unknown(check, 'its answer carried no time', 'Compare by hand: date --utc, here and there.');
  const seconds = Math.round((theirs + 500 - (asked + answered) / 2) / 1000);
  const size = Math.abs(seconds);
  if (size <= mostSkewSeconds) return passed(check, `within ${mostSkewSeconds} s of this machine's`);
  return failed(
    check,
    `${size} s ${seconds > 0 ? 'ahead of' : 'behind'} this machine's clock`,
    'Let NTP set the wrong one, on that host: timedatectl set-ntp true (see: timedatectl timesync-status).',
  );
}
