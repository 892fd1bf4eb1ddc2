import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MimecastError, refusesPageToken } from '../../src/mimecast/errors.ts';
import { type Asked, failureOfAnswer, failureOfEnvelope, notAnEnvelope } from '../../src/mimecast/failure.ts';

const ASKED: Asked = {
  what: 'POST /api/x at api.example',
  requestId: 'req-1',
  pageTokenSent: false,
  credentialsSent: false,
  redact: (text) => text.replaceAll('hush-hush', '***'),
};

/** The failure of an answer, whichever of the two ways it is told. */
function failure(status: number, body: unknown, asked: Partial<Asked> = {}, headers = {}): MimecastError | undefined {
  const head = { status, headers: { 'content-type': 'application/json', ...headers } };
  const about = { ...ASKED, ...asked };
  if (status === 200) return failureOfEnvelope(body as Record<string, unknown>, head, about, 0);
  return failureOfAnswer(head, typeof body === 'string' ? body : JSON.stringify(body), about, 0);
}

const nested = (code: string, more: object = {}) => ({ fail: [{ errors: [{ code, message: 'm', ...more }] }] });
const flat = (code: string) => ({ fail: [{ code, message: 'm' }] });
const folders = { data: [{ source: 'cloud', query: 'test_query', folders: [] }], fail: [] };

describe('bodies that were captured by other clients', () => {
  it.each([
    [
      'API 1.0, wrong signature',
      401,
      {
        meta: { isLastToken: false, status: 401 },
        fail: [
          { errors: [{ code: 'err_xdk_invalid_signature', message: '0004 Invalid Signature', retryable: false }] },
        ],
      },
      'MIMECAST_SIGNATURE_REFUSED',
      'auth',
    ],
    [
      'token endpoint, wrong client',
      401,
      { fail: [{ code: 'InvalidClientIdentifier', message: 'Client credentials are invalid' }] },
      'MIMECAST_CREDENTIALS_REFUSED',
      'auth',
    ],
    ['gateway, without a message', 401, { fail: [{ code: 'unauthorized' }] }, 'MIMECAST_UNAUTHORIZED', 'auth'],
    [
      'gateway, unknown endpoint',
      404,
      {
        fail: [
          {
            errors: [{ code: 'endpoint_evaluation_failed_1', message: 'Endpoint cannot be found', retryable: false }],
          },
        ],
      },
      'MIMECAST_NOT_FOUND',
      'bad_request',
    ],
    [
      'meta.status 403 in a 200',
      200,
      { meta: { status: 403, pagination: { pageSize: 0 } }, ...folders },
      'MIMECAST_FORBIDDEN',
      'forbidden',
    ],
    [
      'meta.status 500 in a 200',
      200,
      { meta: { status: 500, pagination: { pageSize: 0 } }, ...folders },
      'MIMECAST_SERVER_ERROR',
      'server',
    ],
  ])('%s', (_name, status, body, code, reason) => {
    expect(failure(status, body)).toMatchObject({ code, reason, httpStatus: status, requestId: 'req-1' });
  });
});

describe('success', () => {
  it.each([
    [{ meta: { status: 200 }, data: [], fail: [] }],
    [{ meta: { status: 200 } }],
    [{ data: [] }],
    [{ meta: {}, fail: null }],
    [{ fail: {} }],
    [{ meta: null }],
  ])('%j', (body) => {
    expect(failure(200, body)).toBeUndefined();
  });
});

describe('every shape of a fail list', () => {
  it.each([
    [{ fail: [{ key: { a: 1 }, errors: [{ code: 'c1', message: 'm' }] }] }],
    [{ fail: [{ errors: { code: 'c1' } }] }],
    [{ fail: [{ code: 'c1' }] }],
    [{ fail: { code: 'c1', message: 'm' } }],
    [{ fail: { errors: [{ code: 'c1' }] } }],
    [{ error: { code: 'c1', message: 'm' } }],
    [{ error: 'c1', error_description: 'm' }],
    [{ errors: [{ code: 'c1' }] }],
  ])('%j', (body) => {
    expect(failure(200, body)?.apiCodes).toEqual(['c1']);
    expect(failure(400, body)).toMatchObject({ reason: 'bad_request', apiCodes: ['c1'] });
  });

  it.each([[{ fail: [{}] }], [{ fail: [null] }], [{ fail: 'down' }], [{ fail: [{ errors: [] }] }]])(
    'also when it names no code: %j',
    (body) => {
      expect(failure(200, body)).toMatchObject({ reason: 'bad_request', httpStatus: 200 });
    },
  );
});

describe('the status', () => {
  it.each([
    [301, 'malformed', 'MIMECAST_REDIRECTED', false],
    [204, 'malformed', 'MIMECAST_UNEXPECTED_STATUS', true],
    [400, 'bad_request', 'MIMECAST_BAD_REQUEST', false],
    [401, 'auth', 'MIMECAST_UNAUTHORIZED', false],
    [403, 'forbidden', 'MIMECAST_FORBIDDEN', false],
    [404, 'bad_request', 'MIMECAST_NOT_FOUND', false],
    [405, 'server', 'MIMECAST_SERVER_ERROR', true],
    [407, 'network', 'MIMECAST_PROXY_AUTHENTICATION', false],
    [409, 'bad_request', 'MIMECAST_BAD_REQUEST', false],
    [418, 'auth', 'MIMECAST_BINDING_EXPIRED', false],
    [429, 'rate_limited', 'MIMECAST_RATE_LIMITED', true],
    [500, 'server', 'MIMECAST_SERVER_ERROR', true],
    [502, 'server', 'MIMECAST_SERVER_ERROR', true],
    [503, 'server', 'MIMECAST_SERVER_ERROR', true],
    [504, 'server', 'MIMECAST_SERVER_ERROR', true],
    [509, 'server', 'MIMECAST_SERVER_ERROR', true],
  ])('%i is %s', (status, reason, code, retryable) => {
    for (const body of ['', '<html>no</html>', '{}', '[]', 'null', '{"meta":{"status":200},"fail":[]}']) {
      const error = failure(status, body);
      expect(error).toMatchObject({ reason, code, retryable, httpStatus: status });
      expect(error?.hint).toBeTruthy();
    }
  });

  it.each([[403], [404], [418], [429], [500], ['429'], [201], ['odd']])('meta.status %s in a 200 counts', (status) => {
    const error = failure(200, { meta: { status }, data: [] });
    expect(error?.message).toContain(`meta.status ${Number(status)}`);
    if (Number(status) === 418) expect(error?.code).toBe('MIMECAST_BINDING_EXPIRED');
  });
});

describe('a known code goes before the status', () => {
  it.each([
    [200, nested('err_xdk_binding_expired'), 'MIMECAST_BINDING_EXPIRED'],
    [400, nested('err_developer_key'), 'MIMECAST_APPLICATION_REFUSED'],
    [401, flat('app_forbidden'), 'MIMECAST_APP_FORBIDDEN'],
    [401, flat('Unauthorized Request'), 'MIMECAST_TOKEN_REFUSED'],
    [401, flat('token_expired'), 'MIMECAST_TOKEN_REFUSED'],
    [401, nested('err_xdk_client_unauthorized'), 'MIMECAST_FORBIDDEN'],
    [200, nested('err_audit_log_incorrect_region'), 'MIMECAST_WRONG_REGION'],
    [400, nested('constructor'), 'MIMECAST_BAD_REQUEST'],
  ])('%i %j', (status, body, code) => {
    expect(failure(status, body)?.code).toBe(code);
  });

  it('an error that says it may be retried is', () => {
    expect(failure(200, nested('err_unknown', { retryable: true }))?.retryable).toBe(true);
    expect(failure(200, nested('err_unknown', { retryable: false }))?.retryable).toBe(false);
  });
});

describe('at the token endpoint', () => {
  it.each([
    [400, { error: 'invalid_client' }],
    [401, {}],
    [403, 'no'],
    [200, flat('anything')],
  ])('a refusal is one of the credentials: %i %j', (status, body) => {
    expect(failure(status, body, { credentialsSent: true })?.code).toBe('MIMECAST_CREDENTIALS_REFUSED');
  });

  it.each([
    [404, 'MIMECAST_NOT_FOUND'],
    [429, 'MIMECAST_RATE_LIMITED'],
    [500, 'MIMECAST_SERVER_ERROR'],
  ])('%i is not', (status, code) => {
    expect(failure(status, '', { credentialsSent: true })?.code).toBe(code);
  });
});

describe('a bad page token', () => {
  const sent = { pageTokenSent: true };

  it.each([
    [failure(400, '', sent), true],
    [failure(400, nested('err_validation_invalid_page_token'), sent), true],
    [failure(200, nested('err_validation_null'), sent), true],
    [failure(400, ''), false],
    [failure(401, '', sent), false],
    [failure(403, '', sent), false],
    [failure(405, '', sent), false],
    [failure(429, '', sent), false],
    [failure(500, '', sent), false],
    [new Error('other'), false],
  ])('%s: %s', (error, expected) => {
    expect(refusesPageToken(error)).toBe(expected);
  });
});

describe('a Retry-After', () => {
  it('is passed on for 429 and 503 only', () => {
    const headers = { 'retry-after': '7' };
    expect(failure(429, '', {}, headers)?.retryAfterMs).toBe(7000);
    expect(failure(503, '', {}, headers)?.retryAfterMs).toBe(7000);
    expect(failure(403, '', {}, headers)?.retryAfterMs).toBeUndefined();
  });
});

describe('what the other side wrote', () => {
  it('is quoted without line breaks, controls, bidi marks and secrets, and cut short', () => {
    const message = `a\r\nb\u0000c\u001b[31m\u202Ed hush-hush ${'x'.repeat(5000)}`;
    const error = failure(400, { fail: [{ code: 'co\nde', field: 'da\tta', message }] });
    expect(error?.message).toContain('co de: field da ta: a b c [31m d *** xxx');
    expect(error?.message.length).toBeLessThan(400);
    expect(error?.apiCodes).toEqual(['co de']);
  });

  it('is never quoted when it is no JSON of the API', () => {
    const html = '<!doctype html><title>Blocked: victim@example.com</title>';
    const errors = [
      failure(403, html, {}, { 'content-type': 'text/html' }),
      failure(502, 'plain words of a gateway'),
      notAnEnvelope({ status: 200, headers: {} }, html, ASKED),
      notAnEnvelope({ status: 200, headers: {} }, '{"cut', ASKED),
    ];
    for (const error of errors) expect(`${error?.message} ${error?.cause}`).not.toMatch(/victim|Blocked|plain|cut/);
    expect(errors[0]).toMatchObject({ reason: 'forbidden', hint: expect.stringContaining('proxy') });
    expect(errors[2]).toMatchObject({ reason: 'malformed', code: 'MIMECAST_NOT_JSON' });
    expect(notAnEnvelope({ status: 200, headers: {} }, ' ', ASKED).code).toBe('MIMECAST_EMPTY_ANSWER');
  });

  it('never makes the classifier throw, and a failed status is always an error', () => {
    fc.assert(
      fc.property(fc.integer({ min: 201, max: 599 }), fc.jsonValue(), fc.jsonValue(), (status, fail, meta) => {
        const error = failure(status, { meta, fail, error: fail, errors: meta });
        expect(error).toBeInstanceOf(MimecastError);
        expect(error?.message).not.toMatch(/[\r\n]/);
        failure(200, { meta, fail, error: meta });
      }),
    );
  });
});
