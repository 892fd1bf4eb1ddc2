/**
 * The words that made-up mail is made of. All domains are reserved for examples (RFC 2606), so that nothing here can be anybody's.
 */
type Words = readonly [string, ...string[]];

export const SENDERS: Words = [
  'anna.kowalska',
  'o.lindqvist',
  'billing',
  'no-reply',
  'jürgen.weiß',
  "sean.o'neill",
  'wang.li',
  'scan+office3',
  'k.papadopoulou',
  'fatima.zahra',
  'rechnung',
  'r.singh',
  'comptabilité',
  'newsletter',
  'thomas.bauer',
  'orders',
];

export const SENDER_DOMAINS: Words = [
  'partner.example',
  'supplier.example',
  'northwind.example',
  'fabrikam.example',
  'post.müller.example',
  'mail.freight.example',
  'invoices.example.net',
  'cloud-files.example.org',
];

export const RECIPIENTS: Words = [
  'alice',
  'bob',
  'carol',
  'dave',
  'erin',
  'frank',
  'grace',
  'heidi',
  'ivan',
  'judy',
  'mallory',
  'niaj',
  'olivia',
  'peggy',
  'rupert',
  'sybil',
];

export const RECIPIENT_DOMAINS: Words = ['customer.example', 'uk.customer.example', 'customer.example.com'];

/** Subjects as people write them: every character that some log format gives a meaning to is in here. */
export const SUBJECTS: Words = [
  'RE: Q3 forecast',
  'Invoice 4711 | overdue',
  'FW: "final" contract = v2',
  'Rechnung für März – bitte prüfen',
  'Votre facture n° 88',
  '見積書の送付について',
  'Счёт на оплату',
  'عرض سعر',
  'חשבונית מס',
  'Zażółć gęślą jaźń',
  'Aviso de envío: ¿recibido?',
  '請假單',
  '회의록',
  'Payslip 🧾 attached',
  'C:\\Users\\shared\\plan.docx',
  'Tab\there',
  "It's 100% done; see [notes] {draft}",
  'a=b|c=d\\|e',
  '<b>Offer</b> & more',
  '',
];

/** What somebody sends who wants to forge a line or a field in a log. Rare, as in life. */
export const HOSTILE_SUBJECTS: Words = [
  'Hello\r\nCEF:0|Forged|Forged|1|1|forged|10|act=none',
  'x\n<134>1 2020-01-01T00:00:00Z host app - - - forged',
  'LEEF:1.0|Forged|Forged|1|1|\tsev=10',
  '","result":"safe","x":"',
  '\u001b[2Jcleared\u0007 \u202egnp.exe',
  'long '.repeat(200),
];

export const FILE_STEMS: Words = [
  'Invoice',
  'Scan 0042',
  'report (final)',
  'Übersicht',
  '請求書',
  'plan+budget',
  'CV_Müller',
  'отчёт',
  'Sandbox Test',
  'photo=1|2',
  'résumé "new"',
  'PO#7781',
];

/** Extension and MIME type as Mimecast reports them: a .doc that is RTF inside, and a type that it cuts short. */
export const FILE_KINDS: readonly [readonly [string, string], ...(readonly [string, string])[]] = [
  ['pdf', 'application/pdf'],
  ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['pptx', 'application/vnd.openxmlformats-officedocument.presentationml'],
  ['doc', 'text/rtf'],
  ['zip', 'application/zip'],
  ['html', 'text/html'],
];

export const ROUTES: Words = ['inbound', 'inbound', 'inbound', 'internal', 'outbound'];

export const ACTIONS: Words = ['none', 'none, none', 'none, none', 'user release, none'];

/** Verdicts other than `safe`, which most records have. */
export const ALARMING_RESULTS: Words = ['malicious', 'malicious', 'malicious', 'unsafe', 'timeout', 'error'];
