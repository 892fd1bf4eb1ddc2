import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { SHELLS } from '../../src/commands/completion-scripts.ts';
import { commands } from '../../src/commands/index.ts';
import { formats } from '../../src/formats/index.ts';
import { type } from './shell.ts';

/** The scripts, asked by the shells themselves. */

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;
const scripts: Record<string, string> = {};

beforeAll(async () => {
  for (const shell of SHELLS) scripts[shell] = (await type(['completion', shell])).stdout;
});

it('refuses a shell that it does not know, and names those that it does', async () => {
  const { code, stderr } = await type(['completion', 'tcsh']);
  expect(code).toBe(2);
  for (const shell of SHELLS) expect(stderr).toContain(shell);
});

describe.skipIf(!has('bash'))('bash', () => {
  /** What Tab offers at the end of this line. */
  function offered(line: string): string[] {
    const words = line.split(' ');
    const program = `
      ${scripts.bash}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _mimecast_forwarder
      printf '%s\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', program], {
      encoding: 'utf8',
      cwd: folderWithAFile(),
    });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((word) => word !== '');
  }

  it('offers every command', () => {
    expect(offered('mimecast-forwarder ').toSorted()).toEqual(Object.keys(commands).toSorted());
    expect(offered('mimecast-forwarder rej')).toEqual(['rejects']);
  });

  it('offers options, actions and the words that an option takes', () => {
    expect(offered('mimecast-forwarder backfill --f')).toEqual(expect.arrayContaining(['--from', '--feed']));
    expect(offered('mimecast-forwarder rejects ')).toEqual(
      expect.arrayContaining(['list', 'show', 'retry', 'discard']),
    );
    expect(offered('mimecast-forwarder format --as ').toSorted()).toEqual(Object.keys(formats).toSorted());
  });

  it('offers files where a file is wanted', () => {
    expect(offered('mimecast-forwarder run --config ')).toEqual(["a file's name.yaml"]);
    expect(offered('mimecast-forwarder format --as json a')).toEqual(["a file's name.yaml"]);
  });
});

describe.skipIf(!has('fish'))('fish (skipped where it is not installed)', () => {
  function offered(line: string): string[] {
    const home = folderWithAFile();
    const file = join(home, 'completion.fish');
    writeFileSync(file, scripts.fish ?? '');
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', `source '${file}'; complete -C '${line}'`], {
      encoding: 'utf8',
      env: { ...process.env, HOME: home },
      cwd: home,
    });
    expect(stderr).toBe('');
    return stdout.split('\n').flatMap((word) => word.split('\t')[0] || []);
  }

  it('offers commands, actions, options and their words', () => {
    expect(offered('mimecast-forwarder ').toSorted()).toEqual(Object.keys(commands).toSorted());
    expect(offered('mimecast-forwarder rejects ')).toEqual(expect.arrayContaining(['list', 'show']));
    expect(offered('mimecast-forwarder backfill --f')).toEqual(expect.arrayContaining(['--from', '--feed']));
    expect(offered('mimecast-forwarder format --as ')).toEqual(expect.arrayContaining(Object.keys(formats)));
  });
});

describe.skipIf(!has('zsh'))('zsh (skipped where it is not installed)', () => {
  it('takes the script', () => {
    const file = join(folderWithAFile(), '_mimecast-forwarder');
    writeFileSync(file, scripts.zsh ?? '');
    const program = `autoload -Uz compinit && compinit -u -D && source '${file}' && print -r -- "$_comps[mimecast-forwarder]"`;
    const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', program], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe('_mimecast_forwarder');
  });
});

function folderWithAFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'completion-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "a file's name.yaml"), '');
  return folder;
}
