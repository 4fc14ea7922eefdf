"""Cameras through OpenCV: UVC by V4L2, MJPEG over HTTP, RTSP; the capture is its own process."""
