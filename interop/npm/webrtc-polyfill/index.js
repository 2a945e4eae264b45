class None {
  constructor () {
    throw new Error('no WebRTC here')
  }
}
export { None as RTCPeerConnection, None as RTCSessionDescription, None as RTCIceCandidate, None as RTCDataChannel }
export default {}
