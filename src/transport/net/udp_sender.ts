/** Datagrams by UDP: https://nodejs.org/api/dgram.html */
import { createSocket, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { fromSystem } from "../errno.ts";

/** Sends to one address, and hears when nobody listens there. */
export class UdpSender {
  readonly #socket: Socket;
  /** What the system has reported of an earlier datagram. */
  #error: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", (error) => this.#error = error);
    socket.unref();
  }

  /** Rejects with `unreachable` and the like. */
  static to(address: string, port: number): Promise<UdpSender> {
    const socket = createSocket(isIP(address) === 6 ? "udp6" : "udp4");
    return new Promise((resolve, reject) => {
      socket.once("error", (error) => {
        socket.close();
        reject(fromSystem(error, `cannot send to ${address}`));
      });
      socket.connect(port, address, () => {
        socket.removeAllListeners("error");
        resolve(new UdpSender(socket));
      });
    });
  }

  /** Rejects where this datagram, or the last one, could not be delivered. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, (error) => {
        const failure = error ?? this.#error;
        this.#error = undefined;
        if (failure === null || failure === undefined) return resolve();
        reject(fromSystem(failure, "it was not delivered"));
      });
    });
  }

  close(): void {
    this.#socket.close();
  }
}
