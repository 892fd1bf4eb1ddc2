import { Draws } from './draws.ts';
import {
  ACTIONS,
  ALARMING_RESULTS,
  FILE_KINDS,
  FILE_STEMS,
  HOSTILE_SUBJECTS,
  RECIPIENT_DOMAINS,
  RECIPIENTS,
  ROUTES,
  SENDER_DOMAINS,
  SENDERS,
  SUBJECTS,
} from './vocabulary.ts';

/** The thirteen keys of an attachment-protection record, in the order in which API 2.0 writes them. */
export type SimulatedRecord = {
  readonly senderAddress: string;
  readonly recipientAddress: string;
  readonly fileName: string;
  readonly fileType: string;
  readonly result: string;
  readonly actionTriggered: string;
  /** `2024-11-17T20:16:00+0000`: whole seconds, an offset without a colon. */
  readonly date: string;
  readonly details: string;
  readonly route: string;
  /** Absent, or empty, for mail that came without a Message-ID. */
  readonly messageId?: string;
  readonly subject: string;
  readonly fileHash: string;
  readonly definition: string;
};

/**
 * How ten records in a row share seven mails: two files to one person, one file to three, and five plain ones.
 * Mimecast writes one row per file and recipient, so that rows of one mail share its Message-ID and often its second.
 */
const MAIL_LAYOUT = [
  { leader: 0, file: 0, recipient: 0 },
  { leader: 0, file: 1, recipient: 0 },
  { leader: 2, file: 0, recipient: 0 },
  { leader: 3, file: 0, recipient: 0 },
  { leader: 3, file: 0, recipient: 1 },
  { leader: 3, file: 0, recipient: 2 },
  { leader: 6, file: 0, recipient: 0 },
  { leader: 7, file: 0, recipient: 0 },
  { leader: 8, file: 0, recipient: 0 },
  { leader: 9, file: 0, recipient: 0 },
] as const;

const MAIL_STREAM = 1;
const FILE_STREAM = 2;

/** The first record of the mail that record `index` belongs to: itself, or up to two before it. */
export function leaderOf(index: number): number {
  const offset = index % MAIL_LAYOUT.length;
  return index - offset + (MAIL_LAYOUT[offset]?.leader ?? offset);
}

/**
 * Made-up record number `index` of `seed`, dated `date` (ms; cut to whole seconds). A pure function, so that a test or a
 * second process knows what must arrive. Different indexes differ in fileHash or recipient: the default identity of an event.
 */
export function record(index: number, seed: string, date: number): SimulatedRecord {
  const leader = leaderOf(index);
  const { file, recipient } = MAIL_LAYOUT[index % MAIL_LAYOUT.length] ?? MAIL_LAYOUT[0];
  const mail = drawMail(new Draws(seed, leader, MAIL_STREAM), leader);
  const attachment = drawAttachment(new Draws(seed, leader + file, FILE_STREAM));
  return {
    senderAddress: mail.senderAddress,
    recipientAddress: recipientOf(mail.firstRecipient + recipient),
    fileName: attachment.fileName,
    fileType: attachment.fileType,
    result: attachment.result,
    actionTriggered: attachment.actionTriggered,
    date: formatDate(date),
    details: attachment.details,
    route: mail.route,
    ...mail.messageIdField,
    subject: mail.subject,
    fileHash: attachment.fileHash,
    definition: `Default ${capitalise(mail.route)} Attachment Protect Definition`,
  };
}

/** `2024-11-17T20:16:00+0000`, from ms. */
export function formatDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}+0000`;
}

function drawMail(draws: Draws, leader: number) {
  const domain = draws.pick(SENDER_DOMAINS);
  const sender = `${draws.pick(SENDERS)}@${domain}`;
  const oddity = draws.below(100);
  return {
    // `<>` is the null sender of bounces (RFC 5321 §4.5.5), and Mimecast writes it just so.
    senderAddress: oddity === 0 ? '<>' : sender,
    firstRecipient: draws.below(5000),
    route: draws.pick(ROUTES),
    subject: oddity === 1 ? draws.pick(HOSTILE_SUBJECTS) : draws.pick(SUBJECTS),
    messageIdField: drawMessageId(draws, oddity, `${leader}@${domain}`),
  };
}

function drawMessageId(draws: Draws, oddity: number, right: string): { readonly messageId?: string } {
  const messageId = `<${draws.hex(16)}-${right}>`;
  if (oddity === 2) return {};
  return { messageId: oddity === 3 ? '' : messageId };
}

function drawAttachment(draws: Draws) {
  const [extension, fileType] = draws.pick(FILE_KINDS);
  const result = draws.below(100) < 94 ? 'safe' : draws.pick(ALARMING_RESULTS);
  const fileHash = draws.hex(64);
  return {
    fileName: `${draws.pick(FILE_STEMS)} ${fileHash.slice(0, 6)}.${extension}`,
    fileType,
    result,
    actionTriggered: draws.pick(ACTIONS),
    // Padded to 50 columns, then CRLF: what the sandbox writes, and what breaks newline-framed syslog.
    details: `${capitalise(result).padEnd(50)}\r\nTime taken: 0 hrs, 0 min, ${draws.below(60)} sec`,
    // Other clients treat a hash that is not 64 digits long as an expected case; here a few are empty.
    fileHash: draws.below(200) === 0 ? '' : fileHash,
  };
}

function recipientOf(number: number): string {
  const name = RECIPIENTS[number % RECIPIENTS.length] ?? RECIPIENTS[0];
  const domain = RECIPIENT_DOMAINS[number % RECIPIENT_DOMAINS.length] ?? RECIPIENT_DOMAINS[0];
  return `${name}.${number}@${domain}`;
}

function capitalise(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
