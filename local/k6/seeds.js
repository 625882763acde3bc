// The seeds' load by k6, the tool that they measured with: evidence that `cargo local load --profile seeds` does not
// flatter. Stages and think time come from the same derivation (local/load-generator/src/think.rs; its test holds this
// file to it); tokens and the coupon are made by compare.sh, since k6 signs nothing.
//
//   k6 run -e API=http://127.0.0.1:9700 -e COUPON=k6-1 -e TOKENS=tokens.txt local/k6/seeds.js

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { SharedArray } from 'k6/data';

const THINK_SECONDS = 4.3527;
const STAGE_SECONDS = 10;
const USERS_EACH_STAGE = 125;
const STAGES = 8;

const tokens = new SharedArray('tokens', () => open(__ENV.TOKENS).trim().split('\n'));

export const options = {
  scenarios: {
    seeds: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: Array.from({ length: STAGES }, (_, stage) => ({
        duration: `${STAGE_SECONDS}s`,
        target: (stage + 1) * USERS_EACH_STAGE,
      })),
      gracefulRampDown: '30s',
      gracefulStop: '30s',
    },
  },
  summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
  // The names of a k6 summary that compare.sh reads.
  discardResponseBodies: true,
};

export default function () {
  // Everybody asks once, as in the generator's profile: who asks for the n-th time in the whole test is person n.
  const person = exec.scenario.iterationInTest;
  const answer = http.post(`${__ENV.API}/coupons/${__ENV.COUPON}/issues`, null, {
    headers: { authorization: `Bearer ${tokens[person]}` },
    tags: { name: 'issue' },
  });
  check(answer, { 'accepted: 201 or 202': (one) => one.status === 201 || one.status === 202 });
  sleep(THINK_SECONDS);
}

export function handleSummary(data) {
  const { http_req_duration: took, http_reqs: requests, checks } = data.metrics;
  const of = (name) => took.values[name];
  // What a request waits before it is sent is in no http_req_duration, and in every figure of the generator.
  const { http_req_blocked: blocked, http_req_connecting: connecting } = data.metrics;
  const line = {
    requests: requests.values.count,
    per_second: requests.values.rate,
    accepted_share: checks.values.rate,
    avg_ms: of('avg'),
    p50_ms: of('med'),
    p95_ms: of('p(95)'),
    p99_ms: of('p(99)'),
    p999_ms: of('p(99.9)'),
    max_ms: of('max'),
    blocked_avg_ms: blocked.values.avg,
    blocked_p99_ms: blocked.values['p(99)'],
    connecting_avg_ms: connecting.values.avg,
    connecting_p99_ms: connecting.values['p(99)'],
  };
  return { stdout: `${JSON.stringify(line)}\n` };
}
