// One picture of the camera.

const FRAMES = 8; // until a camera has found the light
const LONGEST = 8000; // milliseconds until it has to have given them

/** Whether this page can ask for a camera: only where the address is this machine, or safe. */
export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** Take one picture of the camera, as a PNG file. */
export async function takePicture() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: false });
  } catch (error) {
    throw new Error(
      error.name === "NotAllowedError"
        ? "The camera may not be used: allow it for this page in the browser."
        : "There is no camera that can be used.",
      { cause: error },
    );
  }
  try {
    const video = document.createElement("video");
    Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    await frames(video);
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((take) => canvas.toBlob(take, "image/png"));
    return new File([blob], "camera.png", { type: "image/png" });
  } finally {
    stream.getTracks().forEach((track) => track.stop());
  }
}

/** Wait for some frames of a video. */
function frames(video) {
  return new Promise((done, refuse) => {
    let left = FRAMES;
    const late = setTimeout(() => refuse(new Error("The camera gives no pictures.")), LONGEST);
    const next = () => {
      left -= 1;
      if (left > 0) {
        video.requestVideoFrameCallback(next);
        return;
      }
      clearTimeout(late);
      done();
    };
    video.requestVideoFrameCallback(next);
  });
}
