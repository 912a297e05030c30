// What every script here asks for, and where: the gateway's address, key and kind of provider come from the environment.
import * as z from "zod";

export const base = process.env.GATEHOUSE_URL;
export const key = process.env.GATEHOUSE_KEY;
export const kind = process.env.PROVIDER_KIND;
export const model = `${kind}-mock`;

export const HELLO = "Hello! 안녕하세요, naïve café 👋 — here is a scripted answer, always the same one.";
export const THOUGHTS = "First I look at the question. Then I weigh 두 가지 possibilities. Now I know.";
export const REASONING_TOKENS = THOUGHTS.split(" ").length;
export const AFTER_THOUGHT = "The answer is 42, after some thought.";
export const CITIES = ["Seoul", "São Paulo", "Zürich"];
export const FORECAST = { city: "Seoul", temperature: 21.5, rainy: false, days: ["Mon", "Tue"], note: "☂ 없음" };
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

// A provider of Chat Completions counts its thoughts and tells none.
export const tellsThoughts = kind !== "openai";

export const toolSchema = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};

export const Forecast = z.object({
  city: z.string(), temperature: z.number(), rainy: z.boolean(), days: z.array(z.string()), note: z.string(),
});

// Models whose provider fails in one way only. Each has one caller: a deployment that failed rests for a while.
export const failing = (api, how, fault) => `${kind}-node-${api}-${how}-fault-${fault}`;
export const cut = (api) => `${kind}-node-${api}-fault-cut-interval-10`;
