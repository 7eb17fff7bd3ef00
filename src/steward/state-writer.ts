// What the state file should say, until it says so: a volume may be full for a while.
import { hash } from 'node:crypto';
import type { Place } from '../model/catalog.ts';
import type { Notice } from '../changes/notice.ts';
import { type RememberedRole, saveState, setAside, stateText } from '../state/state-file.ts';

export interface StateWriter {
  /** Has the file say this. Never throws. @param hasLedger whether something else remembers it as well. */
  write(rows: readonly RememberedRole[], place: Place, hasLedger: boolean): Promise<void>;
  /** Writes what could not be written before. Never throws. */
  again(hasLedger: boolean): Promise<void>;
  /** Why the file does not say what it should; undefined where it does. */
  readonly unwritten: Notice | undefined;
}

/** @param isRefused whether what stands there may be somebody else's: it is set aside before it is written over. */
export function createStateWriter(file: string, isRefused: boolean): StateWriter {
  let isAside = !isRefused;
  /** By its digest: it is long. */
  let saved = '';
  /** What is still to be written. */
  let wanted: string | undefined;
  let unwritten: Notice | undefined;

  const flush = async (hasLedger: boolean): Promise<void> => {
    const text = wanted;
    if (text === undefined) return;
    const digest = hash('sha256', text);
    if (digest === saved) {
      [wanted, unwritten] = [undefined, undefined];
      return;
    }
    if (!isAside) {
      isAside = true;
      await setAside(file);
    }
    try {
      await saveState(file, text);
      saved = digest;
      [wanted, unwritten] = [undefined, undefined];
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      const loss = hasLedger ? 'the ledger remembers everything' : 'and there is no ledger: what is ours is forgotten at a restart';
      const message = `the state file ${file} cannot be written (${code}); ${loss}. It is tried again with each cycle: mend the volume, or set STATE_FILE`;
      unwritten = { kind: hasLedger ? 'fallback' : 'failed', subject: '', message };
    }
  };

  return {
    write: (rows, place, hasLedger) => {
      wanted = stateText(rows, place);
      return flush(hasLedger);
    },
    again: (hasLedger) => (unwritten === undefined ? Promise.resolve() : flush(hasLedger)),
    get unwritten() {
      return unwritten;
    },
  };
}
