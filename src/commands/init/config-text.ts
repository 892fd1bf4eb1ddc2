import { stringify } from 'yaml';
import type { OutputType } from '../../outputs/output.ts';
import { folded } from '../../status/text.ts';
import { asked } from './destination.ts';

/** Where a secret is: in a file, as the config has to name it, or in a variable of the environment. */
export type SecretPlace = { readonly file: string } | { readonly variable: string };

export interface Chosen {
  readonly baseUrl: string;
  readonly clientId: string;
  readonly clientSecret: SecretPlace;
  readonly output: {
    readonly name: string;
    readonly type: OutputType;
    /** By key, `tls.caFile` among them; without secrets. */
    readonly values: ReadonlyMap<string, unknown>;
    readonly secrets: ReadonlyMap<string, SecretPlace>;
  };
  /** Absolute: one that starts at the working directory would be another store in another directory. */
  readonly storePath: string;
}

const WIDTH = 110;
const READ_AGAIN =
  '    # The file is read again when Mimecast refuses the secret, so that a new one needs no restart.\n';

/** A config with what was chosen, and with what else is often wanted as comments beside it. */
export function configText({ baseUrl, clientId, clientSecret, output, storePath }: Chosen): string {
  return `# Made by \`mimecast-forwarder init\`. Every key and its default: docs/config.md. After a change: mimecast-forwarder check
# \${NAME} is taken from the environment. A secret x can be in a file of its own, xFile, found beside this one.

mimecast:
  baseUrl: ${yaml(baseUrl)}
  auth:
    type: oauth2    # client id and secret of an API 2.0 application
    clientId: ${yaml(clientId)}
${'file' in clientSecret ? READ_AGAIN : ''}    ${secretLine('clientSecret', clientSecret)}
  # proxy: http://proxy.example:3128      # default: HTTPS_PROXY and NO_PROXY
  # caFile: inspecting-proxy.pem          # where a proxy on the way inspects TLS

feeds:
  - type: attachment
    startFrom: 24h    # the first run alone: how far back to begin, 30d at most

outputs:
  - name: ${yaml(output.name)}    # a new name is a new output, with a cursor of its own
${comment(output.type.summary, 4)}
    type: ${output.type.type}
${outputLines(output).join('\n')}
    # startFrom: now                               # or beginning: all that is stored
    # filter: { result: [malicious, unsafe] }      # only these

store:
  path: ${yaml(storePath)}
  # retention: 30d    # of delivered events, for replay

http:
  listen: 127.0.0.1:9464    # status page and /metrics, for this machine alone
`;
}

function outputLines({ type, values, secrets }: Chosen['output']): string[] {
  const lines = [...values].filter(([key]) => !key.includes('.')).map(([key, value]) => entry(type, key, value, 4));
  for (const [key, place] of secrets) lines.push(`${commentOf(type, key, 4)}    ${secretLine(key, place)}`);
  const inTls = [...values].filter(([key]) => key.startsWith('tls.'));
  if (inTls.length > 0) {
    lines.push('    tls:', ...inTls.map(([key, value]) => entry(type, key, value, 6)));
  }
  return lines;
}

function entry(type: OutputType, key: string, value: unknown, indent: number): string {
  const profile = key === 'profile' ? type.profiles?.[String(value)]?.summary : undefined;
  return `${commentOf(type, key, indent, profile)}${' '.repeat(indent)}${key.split('.').at(-1)}: ${yaml(value)}`;
}

function commentOf(type: OutputType, key: string, indent: number, text = asked(type, key).description): string {
  return text === '' ? '' : `${comment(text, indent)}\n`;
}

function comment(text: string, indent: number): string {
  return folded(text, WIDTH - indent)
    .map((line) => `${' '.repeat(indent)}# ${line}`)
    .join('\n');
}

function secretLine(key: string, place: SecretPlace): string {
  return 'file' in place ? `${key}File: ${yaml(place.file)}` : `${key}: \${${place.variable}}`;
}

/** On one line, quoted where it has to be. */
function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, collectionStyle: 'flow' }).trimEnd();
}
