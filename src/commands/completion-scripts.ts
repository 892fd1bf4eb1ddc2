/** What can be typed, and the scripts that tell a shell. Pure. */

/** A verb, with what may follow it. */
export interface Verb {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Words of its first argument, where these are few and known: `list`, `show` … */
  readonly words: readonly string[];
  readonly options: readonly VerbOption[];
}

export interface VerbOption {
  /** `--config`. */
  readonly flag: string;
  readonly summary: string;
  /** What may follow: nothing, one of these words, a file, or something else. */
  readonly value: 'none' | 'file' | 'any' | readonly string[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type ShellName = (typeof SHELLS)[number];

export const PROGRAM = 'mimecast-forwarder';

export function completionScript(shell: ShellName, verbs: readonly Verb[]): string {
  return { bash, zsh, fish }[shell](verbs);
}

function bash(verbs: readonly Verb[]): string {
  const values = verbs.flatMap(({ name, options }) =>
    options.flatMap(({ flag, value }) => {
      if (value === 'none' || value === 'any') return [];
      const reply =
        value === 'file'
          ? '_mimecast_forwarder_files'
          : `COMPREPLY=($(compgen -W ${quoted(value.join(' '))} -- "$word"))`;
      return [`    ${quoted(`${name} ${flag}`)}) ${reply}; return ;;`];
    }),
  );
  const words = verbs.map(({ name, words, options }) => {
    const all = [...words, ...options.map(({ flag }) => flag)].join(' ');
    return `    ${name}) COMPREPLY=($(compgen -W ${quoted(all)} -- "$word")) ;;`;
  });
  return `# bash completion for ${PROGRAM}:  source <(${PROGRAM} completion bash)
_mimecast_forwarder_files() {
  # One name a line: names may have spaces. compopt has readline quote them.
  mapfile -t COMPREPLY < <(compgen -f -- "$word")
  compopt -o filenames 2>/dev/null
}
_mimecast_forwarder() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" verb="\${COMP_WORDS[1]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(verbs.map(({ name }) => name).join(' '))} -- "$word"))
    return
  fi
  case "$verb $before" in
${values.join('\n')}
  esac
  case "$verb" in
${words.join('\n')}
  esac
  # A word that is none of these is a file, as for \`format\`.
  if [ "\${#COMPREPLY[@]}" -eq 0 ] && [ "\${word#-}" = "$word" ]; then _mimecast_forwarder_files; fi
}
complete -F _mimecast_forwarder ${PROGRAM}
`;
}

function zsh(verbs: readonly Verb[]): string {
  const cases = verbs.map(({ name, words, options }) => {
    const specs = options.map(({ flag, summary, value }) => {
      const what = { none: '', any: ':value: ', file: ':file:_files' };
      const after = typeof value === 'string' ? what[value] : `:value:(${value.join(' ')})`;
      return quoted(`${flag}[${zshText(summary)}]${after}`);
    });
    const first = words.length > 0 ? quoted(`1:action:(${words.join(' ')})`) : `'*:file:_files'`;
    return `    ${name}) _arguments ${[first, ...specs].join(' \\\n      ')} ;;`;
  });
  const names = verbs.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  return `#compdef ${PROGRAM}
# zsh completion for ${PROGRAM}:  ${PROGRAM} completion zsh > "\${fpath[1]}/_${PROGRAM}"
_mimecast_forwarder() {
  local -a verbs
  verbs=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' verbs
    return
  fi
  local verb="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$verb" in
${cases.join('\n')}
  esac
}
compdef _mimecast_forwarder ${PROGRAM}
`;
}

function fish(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap(({ name, summary, words, options }) => {
    const under = `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c ${PROGRAM} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...(words.length > 0 ? [`${under} -f -a ${quoted(words.join(' '))}`] : []),
      ...options.map(({ flag, summary, value }) => {
        const what = { none: '', any: ' -x', file: ' -r -F' };
        const after = typeof value === 'string' ? what[value] : ` -x -a ${quoted(value.join(' '))}`;
        return `${under} -l ${flag.slice(2)}${after} -d ${quoted(summary)}`;
      }),
    ];
  });
  return `# fish completion for ${PROGRAM}:  ${PROGRAM} completion fish > ~/.config/fish/completions/${PROGRAM}.fish
complete -c ${PROGRAM} -n __fish_use_subcommand -f
${lines.join('\n')}
`;
}

/** For all three shells: inside single quotes nothing has a meaning but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** In a specification of \`_arguments\`, brackets and colons have a meaning. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, (character) => `\\${character}`);
}
