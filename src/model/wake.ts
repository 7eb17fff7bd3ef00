// Wake: what makes the loop look before its interval is over, and where.

/** What can make the loop look before its interval is over; also a metric label. */
export const WAKE_CAUSES = ['document', 'secret', 'database', 'cluster', 'signal'] as const;
export type WakeCause = (typeof WAKE_CAUSES)[number];

/** What was asked for since the last cycle began. */
export interface WakeUps {
  readonly causes: ReadonlySet<WakeCause>;
  /** Databases that were named by a cause `database`. */
  readonly databases: ReadonlySet<string>;
  readonly requests: number;
}

/** Why a cycle begins: requests, and where there are none its time has come. */
export interface Woken extends WakeUps {
  /** Whether to look at everything, and not only at what the requests name. */
  readonly everything: boolean;
}

/** For whoever heard of something. */
export interface Waker {
  /** Asks for a cycle soon. It says where to look, never what to do. */
  request(cause: WakeCause, database?: string): void;
}
