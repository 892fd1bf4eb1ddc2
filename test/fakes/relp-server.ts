import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { listenOn } from '../ports.ts';

/** What the server does with a session. */
export type Manner =
  | 'well' // acknowledges every message
  | 'never opens' // reads and does not answer, not even the open
  | 'hangs' // opens, then reads and does not answer
  | 'turns away'; // hints that it closes as soon as it is connected, as librelp does with a peer that is not permitted

interface Setup {
  readonly tls?: TlsOptions;
  readonly port?: number;
}

/** One connection as the server saw it. */
export interface ServedSession {
  /** Whole commands, in order: `1 open`, `2 syslog` … */
  readonly commands: string[];
  /** Messages that were acknowledged. */
  readonly messages: string[];
  /** The data of the open. */
  offers: string;
  /** True once the sender has said close and was answered. */
  closedInOrder: boolean;
}

/**
 * A RELP server on 127.0.0.1, written from the specification (`doc/relp.md` of librelp), as strict as librelp is with what it gets,
 * and able to misbehave.
 */
export class RelpServer {
  manner: Manner = 'well';
  /** Gives a message a code other than 200. */
  codeFor: (message: string) => number = () => 200;
  /** Called with the number of messages of a session that were acknowledged, before the next one is: to break something there. */
  beforeEach: (acknowledged: number, session: Service) => void = () => {};
  /** The data of the answer to open. */
  openAnswer = '200 OK\nrelp_version=0\nrelp_software=fake,1.0,http://fake.example\ncommands=syslog';
  /** How its answers leave: all of a turn in one piece, or octet by octet. */
  pieces: 'whole' | 'octets' = 'whole';
  readonly sessions: Service[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(setup: Setup) {
    const listener = (socket: Socket) => {
      this.sessions.push(new Service(this, socket));
    };
    this.#server = setup.tls
      ? createTlsServer({ ...setup.tls, allowHalfOpen: true }, listener)
      : createServer({ allowHalfOpen: true }, listener);
    // Of a TLS server, the socket below TLS: one whose handshake fails is open all the same.
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  static async start(setup: Setup = {}): Promise<RelpServer> {
    const server = new RelpServer(setup);
    await listenOn(server.#server, setup.port);
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return address.port;
  }

  /** How many connections there are now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Messages that were acknowledged, in order of their sessions. */
  get messages(): string[] {
    return this.sessions.flatMap(({ messages }) => messages);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

class Service implements ServedSession {
  readonly commands: string[] = [];
  readonly messages: string[] = [];
  offers = '';
  closedInOrder = false;
  readonly #server: RelpServer;
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #expectedTxnr = 1;
  #isOpen = false;
  #isOver = false;

  constructor(server: RelpServer, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      socket.cork();
      while (!this.#isOver && this.#takeFrame());
      socket.uncork();
    });
    if (server.manner === 'turns away') this.closeByHint();
  }

  /** `0 serverclose 0`, then the end. */
  closeByHint(): void {
    this.say('0 serverclose 0\n');
    this.#isOver = true;
    this.#socket.end();
  }

  reset(): void {
    this.#isOver = true;
    this.#socket.resetAndDestroy();
  }

  /** Ends in good order as TCP has it, without a word of RELP. */
  endWithoutHint(): void {
    this.#isOver = true;
    this.#socket.end();
  }

  say(text: string): void {
    if (this.#server.pieces === 'whole') this.#socket.write(text, 'latin1');
    else for (const octet of Buffer.from(text, 'latin1')) this.#socket.write(Buffer.of(octet));
  }

  answer(txnr: number, data: string): void {
    this.say(data === '' ? `${txnr} rsp 0\n` : `${txnr} rsp ${Buffer.byteLength(data, 'latin1')} ${data}\n`);
  }

  /** One frame if it is complete; false when more octets are needed. What breaks the grammar ends the session. */
  #takeFrame(): boolean {
    const header = /^([0-9]{1,9}) ([A-Za-z]{1,32}) ([0-9]{1,9})([\n ])/.exec(this.#received.toString('latin1', 0, 60));
    if (header === null) {
      if (this.#received.length > 53) this.closeByHint();
      return false;
    }
    const [head, txnr, command = '', size, after] = header;
    const length = Number(size);
    // "if DATALEN is 0, no data is present": no space either.
    if ((after === ' ') !== length > 0) {
      this.closeByHint();
      return false;
    }
    const end = length === 0 ? head.length - 1 : head.length + length;
    if (this.#received.length <= end) return false;
    const data = this.#received.subarray(head.length, end);
    const isWellEnded = this.#received[end] === 0x0a;
    this.#received = this.#received.subarray(end + 1);
    if (!isWellEnded || Number(txnr) !== this.#expectedTxnr) {
      this.closeByHint();
      return false;
    }
    this.#expectedTxnr += 1;
    this.#obey(Number(txnr), command, data.toString('utf8'));
    return true;
  }

  #obey(txnr: number, command: string, data: string): void {
    this.commands.push(`${txnr} ${command}`);
    const { manner } = this.#server;
    if (manner === 'never opens' || (manner === 'hangs' && this.#isOpen)) return;
    if (command === 'open' && !this.#isOpen) {
      this.offers = data;
      this.#isOpen = true;
      this.answer(txnr, this.#server.openAnswer);
    } else if (command === 'syslog' && this.#isOpen) {
      this.#takeMessage(txnr, data);
    } else if (command === 'close' && this.#isOpen) {
      this.answer(txnr, '');
      this.closedInOrder = true;
      this.closeByHint();
    } else {
      this.answer(txnr, command === 'syslog' ? '500 command disabled' : '500 not now');
      this.closeByHint();
    }
  }

  #takeMessage(txnr: number, message: string): void {
    this.#server.beforeEach(this.messages.length, this);
    if (this.#isOver) return;
    const code = this.#server.codeFor(message);
    if (code === 200) this.messages.push(message);
    this.answer(txnr, code === 200 ? '200 OK' : `${code} ${message}`);
  }
}
