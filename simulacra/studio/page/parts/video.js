// Frames as a video, encoded by the browser where it has an encoder: MP4 before WebM.
const KINDS = [["video/mp4;codecs=avc1.42E01E", "mp4"], ["video/mp4", "mp4"], ["video/webm;codecs=vp9", "webm"], ["video/webm", "webm"]];
const SIDE = 448;

export const videoKind = () => typeof MediaRecorder === "undefined" || !HTMLCanvasElement.prototype.captureStream ? null : KINDS.find(([type]) => MediaRecorder.isTypeSupported(type)) || null;

const loaded = url => new Promise((resolve, reject) => { const image = new Image(); image.onload = () => resolve(image); image.onerror = reject; image.src = url; });

/* Show the frames there and back on a canvas that is recorded; returns the file. */
export async function video(frames, seconds, [type]) {
  const images = await Promise.all(frames.map(loaded)), walk = [...images, ...images.slice(1, -1).reverse()];
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d"), scale = Math.max(1, Math.floor(SIDE / images[0].width));
  canvas.width = 2 * Math.ceil(images[0].width * scale / 2); canvas.height = 2 * Math.ceil(images[0].height * scale / 2); // encoders want even sides
  pen.imageSmoothingEnabled = false;
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: type, videoBitsPerSecond: 4e6 }), parts = [];
  recorder.addEventListener("dataavailable", event => parts.push(event.data));
  const stopped = new Promise(resolve => recorder.addEventListener("stop", resolve));
  pen.drawImage(walk[0], 0, 0, canvas.width, canvas.height);
  recorder.start();
  for (const image of walk) {
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    await new Promise(resolve => setTimeout(resolve, 1000 * seconds));
  }
  recorder.stop();
  await stopped;
  return new Blob(parts, { type: type.split(";")[0] });
}
