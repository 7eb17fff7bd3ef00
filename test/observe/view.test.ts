// What is shown of a server follows its entry.
import { expect, it, vi } from 'vitest';
import { createView } from '../../src/fleet/view.ts';

it('a server that is looked at more seldom by now is no loop that stands still', () => {
  vi.useFakeTimers();
  try {
    const about = { source: 's', dryRun: false, interval: 30, log: { debug: () => undefined } as never };
    const { status } = createView(about, () => 1);
    vi.advanceTimersByTime(601_000);
    expect(status.isAlive()).toBe(false);
    about.interval = 3600;
    expect(status.isAlive()).toBe(true);
    vi.advanceTimersByTime(3 * 3_600_000);
    expect(status.isAlive()).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});
