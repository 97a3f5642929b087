import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { freePort, withDaemon, withFolder } from "./daemon.ts";

export interface Nginx {
  readonly port: number;
  /** The folder of the files that it serves. */
  readonly root: string;
}

/** Runs `use` with an nginx that serves the files of a folder. */
export function withNginx(use: (nginx: Nginx) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const root = join(folder, "files");
    mkdirSync(root);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ");
    const config = join(folder, "nginx.conf");
    writeFileSync(
      config,
      `daemon off;
pid ${folder}/pid;
error_log stderr;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
events {}
http {
  access_log off;
  ${temporary}
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`,
    );
    const command = ["nginx", "-p", folder, "-e", "stderr", "-c", config];
    await withDaemon(command, port, () => use({ port, root }));
  });
}

/** The module of nginx that passes on any protocol; Debian packages it apart. */
export const NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** Runs `use` with an nginx of these servers, one of them on `port`. */
export function withNginxStream(
  servers: string,
  port: number,
  use: () => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const config = join(folder, "nginx.conf");
    writeFileSync(
      config,
      `load_module ${NGINX_STREAM};
daemon off;
pid ${folder}/pid;
error_log stderr;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
events {}
stream {
  ${servers}
}
`,
    );
    const command = ["nginx", "-p", folder, "-e", "stderr", "-c", config];
    await withDaemon(command, port, use);
  });
}
