/**
 * What the forwarder uses of undici. Undici's own index also loads fetch, WebSocket, mocks and caches, which makes every start some
 * 30 ms longer and the process 8 MB larger. The paths are undici's own and may move with a new version: the build fails then.
 */
const Dispatcher = require('undici/lib/dispatcher/dispatcher.js');
const { parseURL } = require('undici/lib/core/util.js');
const { getGlobalDispatcher } = require('undici/lib/global.js');

// As undici's index does it.
Object.assign(Dispatcher.prototype, require('undici/lib/api/index.js'));

exports.errors = require('undici/lib/core/errors.js');
exports.Agent = require('undici/lib/dispatcher/agent.js');
exports.ProxyAgent = require('undici/lib/dispatcher/proxy-agent.js');
exports.EnvHttpProxyAgent = require('undici/lib/dispatcher/env-http-proxy-agent.js');

exports.request = (address, { dispatcher = getGlobalDispatcher(), ...options } = {}) => {
  const { origin, pathname, search } = parseURL(address);
  return dispatcher.request({ ...options, origin, path: `${pathname}${search}`, method: options.method ?? 'GET' });
};
