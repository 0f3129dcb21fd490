// Frames of the camera, one at a time: the next is taken when the last is predicted.

const SIDE = 640;

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

export class Camera {
  constructor(video) {
    this.video = video;
    this.stream = null;
    this.attempt = null; // the start that is under way
    this.canvas = document.createElement("canvas");
  }

  get isOn() {
    return this.stream !== null;
  }

  get isStarting() {
    return this.attempt !== null;
  }

  // Whether the camera is on; false if it was stopped while the browser asked for permission.
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("This browser gives the camera to pages over https or on localhost only.");
    }
    const attempt = (this.attempt = {});
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "user", width: { ideal: 1280 } },
      });
      if (this.attempt !== attempt) {
        release(stream);
        return false;
      }
      this.stream = this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      if (this.attempt !== attempt) return false;
      this.stop();
      throw new Error(`The camera can't be used (${error.message}). Allow it for this page, or choose a picture.`);
    }
    if (this.attempt !== attempt) return false;
    this.attempt = null;
    return true;
  }

  stop() {
    this.attempt = null;
    if (this.stream) release(this.stream);
    this.stream = null;
    this.video.srcObject = null;
  }

  // A JPEG of the current frame; null when the camera has been stopped.
  async frame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!this.isOn || !width) return null;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", 0.92));
  }
}
