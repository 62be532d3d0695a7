/**
 * The demo's stand-in for the ALECS service: plain Node, no dependencies. It offers what the ALECS
 * runbook calls and logs JSON lines of pino's shape.
 */
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { Session } from 'node:inspector/promises';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';

const release = JSON.parse(readFileSync(new URL('./release.json', import.meta.url), 'utf8'));
const port = Number(process.env.HTTP_PORT ?? 8080);
const credentialsFile = process.env.AKAMAI_EDGERC ?? '/etc/alecs/edgerc';
const cacheEnabled = (process.env.CACHE_ENABLED ?? 'true') === 'true';
const levels = { debug: 20, info: 30, warn: 40, error: 50 };
const threshold = levels[process.env.LOG_LEVEL ?? 'info'] ?? levels.info;

function log(level, msg, fields = {}) {
  if (levels[level] < threshold) return;
  const line = {
    level: levels[level],
    time: Date.now(),
    pid: process.pid,
    hostname: hostname(),
    ...fields,
    msg,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const metrics = {
  requests: new Map(),
  durations: buckets.map(() => 0),
  count: 0,
  sum: 0,
  hits: 0,
  lookups: 0,
};
const cache = new Map();

function observe(status, seconds) {
  metrics.requests.set(status, (metrics.requests.get(status) ?? 0) + 1);
  metrics.count += 1;
  metrics.sum += seconds;
  buckets.forEach((bound, index) => {
    if (seconds <= bound) metrics.durations[index] += 1;
  });
}

/** What must hold for this instance to serve; each check says in words what is wrong. */
function checks() {
  return { credentials: checkCredentials(), tools: checkTools() };
}

function checkCredentials() {
  try {
    const text = readFileSync(credentialsFile, 'utf8');
    return /client_token\s*=/.test(text)
      ? { status: 'ok' }
      : { status: 'failed', reason: 'edgerc has no client_token' };
  } catch {
    return { status: 'failed', reason: `cannot read ${credentialsFile}` };
  }
}

/** A release lists its tools and the module that holds each; a tool without its module cannot be served. */
function checkTools() {
  const missing = release.tools.filter(({ module }) => !isFile(new URL(module, import.meta.url)));
  if (missing.length === 0) return { status: 'ok', count: release.tools.length };
  return { status: 'failed', reason: `no module for ${missing.map(({ name }) => name).join(', ')}` };
}

function isFile(url) {
  try {
    return statSync(url).isFile();
  } catch {
    return false;
  }
}

let stopping = false;

function health() {
  const failed = Object.entries(checks()).filter(([, check]) => check.status !== 'ok');
  const healthy = failed.length === 0 && !stopping;
  const reasons = failed.map(([name, check]) => `${name}: ${check.reason}`);
  return {
    status: healthy ? 200 : 503,
    body: {
      status: healthy ? 'healthy' : 'unhealthy',
      version: release.version,
      ...(healthy ? {} : { reasons }),
    },
  };
}

function detailedHealth() {
  const { status, body } = health();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    status,
    body: {
      ...body,
      uptimeSeconds: Math.round(process.uptime()),
      memory: { heapUsedBytes: heapUsed, residentBytes: rss },
      cache: { enabled: cacheEnabled, entries: cache.size, hits: metrics.hits, requests: metrics.lookups },
      checks: checks(),
    },
  };
}

function metricsText() {
  const rate = metrics.lookups === 0 ? 0 : metrics.hits / metrics.lookups;
  const lines = [
    '# HELP alecs_requests_total Requests answered, by status.',
    '# TYPE alecs_requests_total counter',
    ...[...metrics.requests].map(([status, value]) => `alecs_requests_total{status="${status}"} ${value}`),
    '# HELP alecs_request_duration_seconds Time to answer a request.',
    '# TYPE alecs_request_duration_seconds histogram',
    ...buckets.map(
      (bound, index) => `alecs_request_duration_seconds_bucket{le="${bound}"} ${metrics.durations[index]}`,
    ),
    `alecs_request_duration_seconds_bucket{le="+Inf"} ${metrics.count}`,
    `alecs_request_duration_seconds_sum ${metrics.sum}`,
    `alecs_request_duration_seconds_count ${metrics.count}`,
    '# HELP alecs_cache_hits_total Look-ups answered from the cache.',
    '# TYPE alecs_cache_hits_total counter',
    `alecs_cache_hits_total ${metrics.hits}`,
    '# HELP alecs_cache_requests_total Look-ups in the cache.',
    '# TYPE alecs_cache_requests_total counter',
    `alecs_cache_requests_total ${metrics.lookups}`,
    '# HELP alecs_cache_hit_rate Share of look-ups answered from the cache.',
    '# TYPE alecs_cache_hit_rate gauge',
    `alecs_cache_hit_rate ${rate}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Validates the tools of the release; results are cached by the tool's name. */
function validateTools() {
  const results = release.tools.map(({ name, module }) => {
    metrics.lookups += 1;
    if (cacheEnabled && cache.has(name)) {
      metrics.hits += 1;
      return cache.get(name);
    }
    const result = { name, valid: isFile(new URL(module, import.meta.url)) };
    if (cacheEnabled) cache.set(name, result);
    return result;
  });
  const valid = results.every((result) => result.valid);
  return { status: valid ? 200 : 500, body: { valid, tools: results } };
}

function clearCache() {
  const cleared = cache.size;
  cache.clear();
  log('info', 'cache cleared', { cleared });
  return { status: 200, body: { cleared } };
}

let profiling = false;
const longestProfileSeconds = 60;

/** A CPU profile of this very process, in the format that V8 writes and its tools read. */
async function profile(url) {
  const seconds = Number(url.searchParams.get('seconds') ?? 30);
  if (!(seconds > 0 && seconds <= longestProfileSeconds)) {
    return {
      status: 400,
      body: { error: `seconds must be more than 0 and at most ${longestProfileSeconds}` },
    };
  }
  if (profiling) return { status: 409, body: { error: 'a profile is being taken already' } };
  profiling = true;
  const session = new Session();
  try {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await pause(seconds * 1000);
    const { profile: result } = await session.post('Profiler.stop');
    return { status: 200, body: result };
  } finally {
    session.disconnect();
    profiling = false;
  }
}

const routes = {
  'GET /health': health,
  'GET /health/detailed': detailedHealth,
  'GET /metrics': () => ({ status: 200, text: metricsText() }),
  'GET /tools/validate': validateTools,
  'POST /admin/cache/clear': clearCache,
  'GET /debug/pprof/profile': profile,
};

async function answer(request) {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const route = routes[`${request.method} ${url.pathname}`];
  if (route !== undefined) return route(url);
  const known = Object.keys(routes).some((name) => name.endsWith(` ${url.pathname}`));
  return known
    ? { status: 405, body: { error: 'method not allowed' } }
    : { status: 404, body: { error: 'not found' } };
}

const server = createServer(async (request, response) => {
  const begin = process.hrtime.bigint();
  let result;
  try {
    result = await answer(request);
  } catch (error) {
    log('error', 'request failed', { err: { type: error.name, message: error.message } });
    result = { status: 500, body: { error: 'internal error' } };
  }
  const text = result.text ?? JSON.stringify(result.body);
  const type = result.text === undefined ? 'application/json' : 'text/plain; version=0.0.4';
  response.writeHead(result.status, { 'content-type': type, ...(stopping ? { connection: 'close' } : {}) });
  response.end(text);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  observe(result.status, seconds);
  const fields = { req: { method: request.method, url: request.url }, res: { statusCode: result.status } };
  log(result.status >= 500 ? 'warn' : 'debug', 'request completed', {
    ...fields,
    responseTime: seconds * 1000,
  });
});

/** Unready first, then no new connections; requests that run are answered. */
function stop(signal) {
  if (stopping) return;
  stopping = true;
  log('info', 'stopping', { signal });
  server.close(() => {
    log('info', 'stopped');
    process.exit(0);
  });
  server.closeIdleConnections();
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
server.listen(port, process.env.HTTP_HOST ?? '0.0.0.0', () => {
  log('info', 'listening', { port, version: release.version });
  for (const [name, check] of Object.entries(checks())) {
    if (check.status !== 'ok') log('error', 'check failed', { check: name, reason: check.reason });
  }
});
