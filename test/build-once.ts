import { execFileSync } from 'node:child_process';

/** The end-to-end tests run what is shipped, `dist/`: it is built once, before the first test file. */
export function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
