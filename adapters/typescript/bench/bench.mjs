// What a question costs an application, over TCP and a Unix socket, against a bare request of node:http with the same bytes. The decision
// point is the sidecar, or with --floor a server that does nothing. Prints a table in Markdown.

import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Checker, Client, confirm, RouteTable } from "@wardkeeper/pep";

const rounds = 8;
const questions = 1000; // of a round
const question = {
  subject: { type: "user", id: "alice" },
  action: { name: "user.view" },
  resource: { type: "user", id: "jane" },
  context: { current_location: "metro" },
};

/** Runs work one after the other, and returns microseconds of processor and of time for each. */
async function measure(work) {
  const began = process.hrtime.bigint();
  const before = process.cpuUsage();
  for (let i = 0; i < questions; i++) {
    await work();
  }
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / questions, time: Number(process.hrtime.bigint() - began) / 1000 / questions };
}

/** Of several rounds the one that cost the least: what else the machine does only adds. */
function best(all) {
  return { cpu: Math.min(...all.map((m) => m.cpu)), time: Math.min(...all.map((m) => m.time)) };
}

/** A bare request: the floor that node:http sets. */
function bare(url) {
  const body = Buffer.from(JSON.stringify({ ...question, context: { ...question.context, supported_obligations: ["custom"] } }));
  const { hostname, port } = url.startsWith("unix:") ? {} : new URL(url);
  const options = {
    ...(url.startsWith("unix:") ? { socketPath: url.slice("unix:".length) } : { hostname, port }),
    method: "POST",
    path: "/access/v1/evaluation",
    agent: new Agent({ keepAlive: true }),
    headers: { "Content-Type": "application/json", "Content-Length": body.length },
  };
  return () =>
    new Promise((resolve, reject) => {
      const sent = request(options, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
      });
      sent.on("error", reject);
      sent.end(body);
    });
}

const routes = RouteTable.parse(`
version: 1
subject: {jwt: {keys: "https://idp.example.org/", issuer: i, audience: a, algorithms: [ES256]}}
defaults: {current_location: {claim: location}}
routes: [{path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}]
`);
const received = {
  method: "GET",
  target: "/users/jane",
  fields: ["Host: example.org", "Authorization: Bearer t", "Accept: text/html", "User-Agent: bench"].map((f) => f.split(": ")),
};

async function serve(socket) {
  const [command, args] = process.argv.includes("--floor")
    ? [process.execPath, [fileURLToPath(import.meta.url), "--serve", socket]]
    : [
        `${process.env.REPOSITORY}/bin/wardkeeper`,
        [
          "serve",
          "--addr",
          "127.0.0.1:0",
          "--addr",
          `unix:${socket}`,
          "--directory",
          `${process.env.REPOSITORY}/testdata/directories/sample.yaml`,
        ],
      ];
  const program = spawn(command, args);
  const url = await new Promise((resolve, reject) => {
    let output = "";
    const read = (chunk) => {
      output += chunk;
      const found = /url=(\S+)/.exec(output);
      if (found) {
        resolve(found[1]);
      }
    };
    program.stdout.on("data", read);
    program.stderr.on("data", read);
    program.on("error", (error) => reject(new Error(`${command} does not start (run "make build" first): ${error.message}`)));
    program.on("exit", () => reject(new Error(output)));
  });
  return { program, url };
}

if (process.argv.includes("--serve")) {
  const answer = (incoming, response) => {
    incoming.resume();
    response.writeHead(200, { "Content-Type": "application/json" }).end('{"decision":true}');
  };
  createServer(answer).listen(process.argv.at(-1));
  const server = createServer(answer).listen(0, "127.0.0.1", () => console.log(`url=http://127.0.0.1:${server.address().port}`));
} else {
  const socket = join(mkdtempSync(join(tmpdir(), "bench")), "pdp.sock");
  const { program, url } = await serve(socket);
  console.log("| µs for one question, processor (time) | TCP | Unix socket |\n|---|---|---|");
  const rows = {};
  const addresses = [url, `unix:${socket}`];
  const works = addresses.map((address) => {
    const client = new Client({ url: address, timeout: 60_000 });
    const verifier = { verify: async () => ({ sub: "alice", location: "metro" }) };
    const checker = new Checker({ decider: client, routes, verifier, handlers: { "custom/confirm": confirm } });
    return {
      "node:http alone": bare(address),
      "the client": () => client.evaluate(question),
      "the checker, without verifying a token": () => checker.check(received),
    };
  });
  // Round by round, so that all of them meet the same machine; the first one is for warming up.
  for (let round = 0; round <= rounds; round++) {
    for (const [i, byName] of works.entries()) {
      for (const [name, work] of Object.entries(byName)) {
        const measured = await measure(work);
        if (round > 0) {
          rows[name] ??= addresses.map(() => []);
          rows[name][i].push(measured);
        }
      }
    }
  }
  for (const [name, costs] of Object.entries(rows)) {
    console.log(
      `| ${name} | ${costs
        .map(best)
        .map(({ cpu, time }) => `${cpu.toFixed(0)} (${time.toFixed(0)})`)
        .join(" | ")} |`,
    );
  }
  program.kill();
  process.exit(0);
}
