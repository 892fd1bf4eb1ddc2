import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { createServer, Server } from 'node:net';

/** A real receiver as a child process in the foreground, stopped by its own pid. */
export class ReceiverProcess {
  readonly #command: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  /** What it wrote to its standard error: its complaints about us, and why it did not start. */
  complaints = '';

  constructor(command: string, args: readonly string[]) {
    this.#command = command;
    this.#args = args;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it and resolves once `isUp` says so. */
  async start(isUp: () => Promise<boolean>): Promise<void> {
    const child = spawn(this.#command, this.#args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.complaints += text;
    });
    const deadline = Date.now() + 10_000;
    while (!(await isUp())) {
      if (!this.isRunning || Date.now() > deadline) {
        await this.end('SIGKILL');
        throw new Error(`${this.#command} did not start: ${this.complaints}`);
      }
      await nextLook();
    }
  }

  /** Stops it where it is, and resolves when each of its threads stands still: SIGSTOP takes a moment to get round. */
  async pause(): Promise<void> {
    this.#child?.kill('SIGSTOP');
    while (!this.#standsStill()) await nextLook();
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** The state of a thread follows its name, which is in brackets: proc(5). */
  #standsStill(): boolean {
    const threads = globSync(`/proc/${this.#child?.pid}/task/*/stat`);
    return threads.every((file) => readFileSync(file, 'latin1').split(') ').at(-1)?.startsWith('T'));
  }

  /** Sends a signal that ends it, and resolves when it is gone; does nothing when it is. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning || this.#child === undefined) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }
}

/**
 * Ports of 127.0.0.1 on which nobody listens, for TCP and for UDP. They lie below those that Linux gives to outgoing connections
 * (32768 and up): one of these could take the port while its receiver is started again, or even connect to itself.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if ((await isFree(createServer(), port)) && (await isFree(createSocket('udp4'), port))) ports.add(port);
  }
  return [...ports];
}

async function isFree(socket: Server | Socket, port: number): Promise<boolean> {
  try {
    if (socket instanceof Server) socket.listen(port, '127.0.0.1');
    else socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
  } catch {
    return false;
  }
  socket.close();
  await once(socket, 'close');
  return true;
}

function nextLook(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
