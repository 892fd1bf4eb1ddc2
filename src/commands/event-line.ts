import type { EventFields, ForwarderEvent, Severity } from '../event.ts';
import { cutMiddle, padded, visible } from '../status/text.ts';
import { shortMoment } from '../status/words.ts';
import type { Look } from './look.ts';

/** An event on one line, as `tap` shows it to a person. Pure; every text in it may be hostile. */

/** What of an event is shown. */
export interface Glimpse {
  /** The event's own time, ms. */
  readonly time: number;
  readonly severity: Severity;
  readonly result: string;
  readonly route: string;
  readonly from: string;
  readonly to: string;
  readonly file: string;
}

/** Widths of the columns time, result and route: `11-22 14:02`, `malicious`, `internal`. */
const [TIME, RESULT, ROUTE] = [11, 9, 8] as const;
const GAP = '  ';
/** Below it nothing more is cut: the line wraps. */
const NARROWEST = 60;
/** Part of the room of addresses and file that the file gets: it is what one looks for. */
const FILE_PART = 0.34;
const ABSENT = '-';
/** In place of what `--mask` hides. */
const HIDDEN = '•••';

export function glimpseOf({ time, severity, fields }: ForwarderEvent, masked: boolean): Glimpse {
  const { sender, recipient, fileName, fileType, result = ABSENT, route = ABSENT } = fields;
  return {
    ...{ time, severity, result, route },
    from: masked ? maskedAddress(sender) : (sender ?? ABSENT),
    to: masked ? maskedAddress(recipient) : (recipient ?? ABSENT),
    file: masked ? typeOfFile(fileName, fileType) : (fileName ?? ABSENT),
  };
}

/**
 * `14:02:11     malicious  inbound   mallory@bad.example → alice@corp.example  invoice.docm`, without its end. In a terminal's columns
 * the texts are cut in the middle; where `look.width` is undefined the line is whole and has the date.
 */
export function lineOf(glimpse: Glimpse, look: Look, now: number): string {
  const shown = (text: string, width: number | undefined): string => {
    const harmless = visible(look.unicode ? text : text.replaceAll(HIDDEN, '***'), look.unicode);
    return width === undefined ? harmless : cutMiddle(harmless, width, look.unicode ? '…' : '...');
  };
  const arrow = look.unicode ? ' → ' : ' -> ';
  const [address, file] = look.width === undefined ? [] : roomOf(look.width, arrow.length);
  const column = (text: string, width: number): string =>
    padded(shown(text, look.width === undefined ? undefined : width), width);
  const result = column(glimpse.result, RESULT);
  return [
    look.width === undefined ? new Date(glimpse.time).toISOString() : padded(shortMoment(glimpse.time, now), TIME),
    look.color ? colored(result, glimpse.severity) : result,
    column(glimpse.route, ROUTE),
    padded(shown(glimpse.from, address), address ?? 0) + arrow + padded(shown(glimpse.to, address), address ?? 0),
    shown(glimpse.file, file),
  ].join(GAP);
}

/** Columns of an address and of the file, in a terminal of so many. */
function roomOf(width: number, arrow: number): [address: number, file: number] {
  const room = Math.max(NARROWEST, width) - TIME - RESULT - ROUTE - 4 * GAP.length - arrow;
  const address = Math.floor((room * (1 - FILE_PART)) / 2);
  return [address, room - 2 * address];
}

/** Escape codes of the 16-colour set (ECMA-48 SGR), so that the terminal's own theme decides how they look. */
function colored(text: string, severity: Severity): string {
  const code = severity >= 7 ? 31 : severity >= 4 ? 33 : undefined;
  return code === undefined ? text : `\u001b[${code}m${text}\u001b[0m`;
}

/** `mallory@bad.example` as `m•••@bad.example`. */
function maskedAddress(address: string | undefined): string {
  if (address === undefined) return ABSENT;
  const at = address.lastIndexOf('@');
  const [first = ''] = at === 0 ? '' : address;
  return `${first}${HIDDEN}${at < 0 ? '' : address.slice(at)}`;
}

/** `.docm`, or what Mimecast says that it is. */
function typeOfFile(name: string | undefined, type: EventFields['fileType']): string {
  return /\.[A-Za-z0-9]{1,8}$/.exec(name ?? '')?.[0] ?? type ?? ABSENT;
}
