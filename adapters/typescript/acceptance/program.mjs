// Runs the programs that the acceptance tests need.

import { spawn } from "node:child_process";

/** Starts a program and returns the first group of a pattern in its output, and functions that stop it and return its output. */
export async function start(t, command, args, pattern, options = {}) {
  const program = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => program.once("exit", resolve));
  const stop = async () => {
    program.kill("SIGTERM");
    await ended;
  };
  t.after(stop);
  let output = "";
  const found = await new Promise((resolve, reject) => {
    const read = (chunk) => {
      output += chunk;
      const match = pattern.exec(output);
      if (match) {
        resolve(match[1]);
      }
    };
    program.stdout.on("data", read);
    program.stderr.on("data", read);
    ended.then(() => reject(new Error(`${command} has ended:\n${output}`)));
  });
  return { found, stop, output: () => output };
}

const root = process.env.REPOSITORY;

/** A path in the repository. */
export const at = (path) => `${root}/${path}`;

/** Starts the sidecar and returns its URL. */
export async function sidecar(t, ...args) {
  const { found, stop } = await start(t, at("bin/wardkeeper"), ["serve", "--addr", "127.0.0.1:0", ...args], /url=(\S+)/);
  return { url: found, stop };
}
