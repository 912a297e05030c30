// The official Node SDK for OpenAI: Responses through Gatehouse, whole and by the SDK's accumulator.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import {
  AFTER_THOUGHT, CITIES, FORECAST, Forecast, HELLO, PIXEL, REASONING_TOKENS, THOUGHTS, base, cut, failing, key, kind,
  model, tellsThoughts, toolSchema,
} from "./asked.mjs";

const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const { responses } = client;
const ask = (input) => ({ model, input });
const tools = [{ type: "function", name: "get_weather", parameters: toolSchema, strict: true }];

const streamed = (body) => responses.stream(body).finalResponse();
const both = (body) => Promise.all([responses.create(body), streamed(body)]);
const calls = (answer) => answer.output.filter((item) => item.type === "function_call");
const cities = (answer) => calls(answer).map((call) => JSON.parse(call.arguments).city);
const thoughts = (answer) => answer.output
  .filter((item) => item.type === "reasoning")
  .flatMap((item) => item.summary.map((part) => part.text))
  .join("");

test("a whole answer and a streamed one are the same", async () => {
  const answers = await both(ask("hello"));
  for (const answer of answers) {
    assert.equal(answer.output_text, HELLO);
    assert.equal(answer.status, "completed");
  }
  assert.deepEqual(answers[0].usage, answers[1].usage);
  let heard = "";
  for await (const event of responses.stream(ask("hello"))) {
    if (event.type === "response.output_text.delta") heard += event.delta;
  }
  assert.equal(heard, HELLO);
});

for (const count of [0, 1, 3]) {
  test(`${count} tool calls`, async () => {
    for (const answer of await both({ ...ask(count ? `tools:${count}` : "hello"), tools })) {
      assert.deepEqual(cities(answer), CITIES.slice(0, count));
    }
  });
}

test("what was called and thought goes back with its results", async () => {
  const question = { role: "user", content: "think-tools:2" };
  const body = { model, tools, reasoning: { effort: "medium", summary: "auto" }, store: false,
    include: ["reasoning.encrypted_content"] };
  for (const first of await both({ ...body, input: [question] })) {
    assert.equal(thoughts(first), tellsThoughts ? THOUGHTS : "");
    const sealed = first.output.filter((item) => item.type === "reasoning" && item.encrypted_content);
    assert.equal(sealed.length > 0, tellsThoughts && kind !== "gemini"); // which signs the call alone
    const results = calls(first).map((call, place) => ({
      type: "function_call_output", call_id: call.call_id, output: ["sun", "비"][place],
    }));
    for (const last of await both({ ...body, input: [question, ...first.output, ...results] })) {
      assert.equal(last.output_text, "The tools said: sun | 비.");
    }
  }
});

test("an answer is parsed into the caller's own type", async () => {
  const body = { ...ask("json"), text: { format: zodTextFormat(Forecast, "forecast") } };
  for (const answer of [await responses.parse(body), await streamed(body)]) {
    assert.deepEqual(answer.output_parsed, FORECAST);
  }
});

test("an image is seen", async () => {
  const image = { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "auto" };
  const content = [{ type: "input_text", text: "image" }, image, image];
  for (const answer of await both(ask([{ role: "user", content }]))) {
    assert.equal(answer.output_text, "I see 2 images in what you sent.");
  }
});

test("thoughts are counted, and told where the provider tells them", async () => {
  for (const answer of await both({ ...ask("think"), reasoning: { effort: "high", summary: "auto" } })) {
    assert.equal(answer.output_text, AFTER_THOUGHT);
    assert.equal(thoughts(answer), tellsThoughts ? THOUGHTS : "");
    assert.equal(answer.usage.output_tokens_details.reasoning_tokens, REASONING_TOKENS);
  }
});

test("errors are the SDK's own", async () => {
  const expected = { 400: OpenAI.BadRequestError, 401: OpenAI.InternalServerError, 429: OpenAI.RateLimitError };
  for (const [fault, error] of Object.entries(expected)) {
    const input = "hello";
    await assert.rejects(responses.create({ model: failing("responses", "plain", fault), input }), error);
    await assert.rejects(streamed({ model: failing("responses", "stream", fault), input }), error);
  }
  const stranger = new OpenAI({ baseURL: `${base}/v1`, apiKey: "sk-gh-nobody", maxRetries: 0 });
  await assert.rejects(stranger.responses.create(ask("hello")), OpenAI.AuthenticationError);
  await assert.rejects(responses.create({ ...ask("hello"), model: "no-such-model" }), OpenAI.NotFoundError);
});

test("a stream that was cut is an error, never an end", async () => {
  const types = [];
  await assert.rejects(async () => {
    const stream = responses.stream({ ...ask("long:50"), model: cut("responses") });
    stream.on("event", (event) => types.push(event.type));
    await stream.finalResponse();
  }, OpenAI.OpenAIError);
  assert.ok(types.includes("response.output_text.delta"));
  assert.ok(!types.includes("response.completed"));
});
