import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

/** True when a Chromium is installed: see `scripts/install-receivers.sh`. */
export const chromiumIsInstalled = CHROMIUM !== undefined;

type Params = Readonly<Record<string, unknown>>;
/** What a method of the DevTools protocol returns; each caller knows what it asked for. */
export type Result = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Params;
  readonly sessionId?: string;
  readonly result?: Result;
  readonly error?: { readonly message: string };
}

/** How long a page may take for one command. */
const PATIENCE = 10_000;

/**
 * A headless Chromium, driven over the DevTools protocol: JSON messages with a zero byte after each, on a pipe (file descriptors 3 and 4).
 * https://chromedevtools.github.io/devtools-protocol/
 */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #commands: Writable;
  readonly #waiting = new Map<number, PromiseWithResolvers<Result>>();
  readonly #listeners = new Set<(message: Message) => void>();
  #lastId = 0;
  #rest = '';

  private constructor(env: Readonly<Record<string, string>>) {
    this.#profile = mkdtempSync(join(tmpdir(), 'chromium-'));
    // Its sandbox needs rights that a container does not give; only pages of ours are opened.
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-extensions'];
    const quiet = [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--hide-scrollbars',
    ];
    const files = ['--disable-dev-shm-usage', `--user-data-dir=${this.#profile}`, '--remote-debugging-pipe'];
    this.#process = spawn(CHROMIUM ?? 'chromium', [...args, ...quiet, ...files, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: this.#profile, LANG: 'C.UTF-8', TZ: 'Asia/Kathmandu', ...env },
    });
    const [, , , commands, answers] = this.#process.stdio;
    this.#commands = commands as Writable;
    this.#commands.on('error', () => undefined);
    (answers as Readable).setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#process.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Chromium has ended'));
    });
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Chromium> {
    const chromium = new Chromium(env);
    await chromium.send('Browser.getVersion');
    return chromium;
  }

  /** A new tab; cookies, cache and passwords are its own. */
  async newPage(): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(browserContextId));
    await Promise.all(['Page', 'Runtime', 'Log', 'Network'].map((domain) => page.send(`${domain}.enable`)));
    return page;
  }

  send(method: string, params: Params = {}, sessionId?: string): Promise<Result> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = Promise.withResolvers<Result>();
    this.#waiting.set(id, answer);
    const timer = setTimeout(() => answer.reject(new Error(`${method} was not answered`)), PATIENCE);
    this.#commands.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`);
    return answer.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }

  listen(listener: (message: Message) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit');
      const asked = this.send('Browser.close').catch(() => undefined);
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), 3000);
      await Promise.all([asked, gone]);
      clearTimeout(timer);
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  #read(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const json of messages) {
      const message: Message = JSON.parse(json);
      if (message.id === undefined) {
        for (const listener of this.#listeners) listener(message);
        continue;
      }
      const waiting = this.#waiting.get(message.id);
      if (message.error) waiting?.reject(new Error(message.error.message));
      else waiting?.resolve(message.result ?? {});
    }
  }
}

/** What an element is to who cannot see it. */
export interface AccessibleNode {
  readonly role: string;
  readonly name: string;
}

/** One tab. */
export class Page {
  /** What went wrong in it: errors of the script, refusals of the content policy, requests that failed. */
  readonly complaints: string[] = [];
  /** URLs that were asked for. */
  readonly requested: string[] = [];
  readonly #chromium: Chromium;
  readonly #session: string;
  readonly #context: string;

  constructor(chromium: Chromium, session: string, context: string) {
    this.#chromium = chromium;
    this.#session = session;
    this.#context = context;
    chromium.listen(({ sessionId, method, params = {} }) => {
      if (sessionId === session) this.#hear(method, params);
    });
  }

  send(method: string, params: Params = {}): Promise<Result> {
    return this.#chromium.send(method, params, this.#session);
  }

  async close(): Promise<void> {
    await this.#chromium.send('Target.disposeBrowserContext', { browserContextId: this.#context });
  }

  async resize(width: number, height: number, deviceScaleFactor = 1): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor, mobile: false });
  }

  async open(url: string): Promise<void> {
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    await this.until(() => this.evaluate('document.readyState === "complete" && document.fonts.status === "loaded"'));
  }

  /** The value of an expression, as JSON would carry it; promises are waited for. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
      userGesture: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value: T }).value;
  }

  /** The text of the first element that fits, as it is shown. */
  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  }

  async press(key: 'Tab' | 'Enter'): Promise<void> {
    const code = { Tab: 9, Enter: 13 }[key];
    const event = { key, code: key, windowsVirtualKeyCode: code, ...(key === 'Enter' && { text: '\r' }) };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  /** What a screen reader finds, in reading order, without what it passes over. */
  async accessible(): Promise<AccessibleNode[]> {
    await this.send('Accessibility.enable');
    const { nodes } = await this.send('Accessibility.getFullAXTree');
    type Value = { readonly value?: unknown } | undefined;
    return (nodes as { ignored: boolean; role: Value; name: Value }[])
      .filter(({ ignored }) => !ignored)
      .map(({ role, name }) => ({ role: String(role?.value ?? ''), name: String(name?.value ?? '') }));
  }

  /** A PNG of the whole page, or of its first `height` pixels. */
  async picture(height?: number): Promise<Buffer> {
    const { cssContentSize } = await this.send('Page.getLayoutMetrics');
    const { width, height: whole } = cssContentSize as { width: number; height: number };
    const clip = { x: 0, y: 0, width, height: height ?? whole, scale: 1 };
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
    return Buffer.from(String(data), 'base64');
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`the page never came to: ${holds.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #hear(method: string | undefined, params: Params): void {
    if (method === 'Network.requestWillBeSent') this.requested.push((params.request as { url: string }).url);
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Runtime.consoleAPICalled') this.complaints.push(JSON.stringify(params.args));
    if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params.entry));
  }
}
