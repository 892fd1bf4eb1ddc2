import { type Document, isScalar, type Node, type Scalar, visit } from 'yaml';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What became of the references in a document. */
export interface Interpolation {
  /** Scalars that took something from the environment: their text is nobody's to show. */
  readonly fromEnvironment: ReadonlySet<Node>;
  readonly mistakes: readonly { readonly node: Scalar; readonly message: string }[];
}

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every scalar value of a parsed document, in place. `$${` stands for a literal `${`.
 *
 * It works on parsed scalars, not on the file's text, so that a value with `: `, `#` or a line break in it cannot change the
 * structure of the config. As in a shell, the default also stands in for a variable that is set but empty.
 */
export function interpolate(document: Document, env: Environment): Interpolation {
  const fromEnvironment = new Set<Node>();
  const mistakes: { node: Scalar; message: string }[] = [];
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      node.value = node.value.replace(
        REFERENCE,
        (whole: string, inner: string | undefined, end: string | undefined) => {
          if (inner === undefined) return '${';
          fromEnvironment.add(node);
          const resolved = end === '' ? { mistake: UNREADABLE } : resolve(inner, env);
          if ('text' in resolved) return resolved.text;
          mistakes.push({ node, message: resolved.mistake });
          return whole;
        },
      );
    },
  });
  return { fromEnvironment, mistakes };
}

const UNREADABLE = `is no readable reference, expected \${NAME} or \${NAME:-default}; write $\${ for a literal \${`;

function resolve(reference: string, env: Environment): { text: string } | { mistake: string } {
  const match = NAME_AND_DEFAULT.exec(reference);
  if (!match) return { mistake: UNREADABLE };
  const [, name = '', fallback] = match;
  const text = env[name];
  if (fallback !== undefined) return { text: text || fallback };
  if (text === undefined) return { mistake: `needs the environment variable ${name}, which is not set` };
  return { text };
}

/**
 * What YAML would have made of a plain scalar, had the value stood in the file: a number, a boolean, or the text itself.
 * A number is taken only when it is written back the same, so that `007` stays a text.
 */
export function plainValue(node: Node | undefined, text: string): string | number | boolean {
  if (!isScalar(node) || node.type !== 'PLAIN') return text;
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) && String(Number(text)) === text ? Number(text) : text;
}
